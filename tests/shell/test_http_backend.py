"""Questions over HTTP, as RabbitMQ's rabbitmq_auth_backend_http sends them; and a broker that asks a real service."""

import logging

import httpx
import pika
import pytest
import trio

import leveret
from leveret.auth.http_backend import HttpPaths
from leveret.auth.questions import Question
from leveret.config.settings import Settings
from leveret.shell.http_backend import HttpQuestions
from tests.checking_service import running_service

USER = Question("user", (("username", "ann & bob"), ("password", "s3cret"), ("tags", "")))
URLS = [f"http://service/{name}" for name in ("user", "vhost", "resource", "topic")]


class Turns:
    """In the place of the server: runs the tasks, and counts the flushes."""

    def __init__(self, nursery):
        self.start_soon = nursery.start_soon
        self.flushes = 0

    def flush(self):
        self.flushes += 1


async def ask(answer, question=USER, method="get"):
    """(request that was sent, answer that was told); answer: a response or an error."""
    requests, told = [], []

    def service(request):
        requests.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with HttpQuestions(HttpPaths(*URLS, method), httpx.MockTransport(service)) as questions:
        async with trio.open_nursery() as nursery:
            questions.server = Turns(nursery)
            questions.ask(question, told.append)
            assert told == []
        assert questions.server.flushes == 1
    (text,) = told
    return requests[0], text


async def test_a_get_has_the_fields_in_its_query():
    request, answer = await ask(httpx.Response(200, text="allow administrator"))
    assert (request.method, str(request.url)) == (
        "GET",
        "http://service/user?username=ann+%26+bob&password=s3cret&tags=",
    )
    assert answer == "allow administrator"


async def test_a_post_has_them_in_its_body():
    request, answer = await ask(httpx.Response(201, text="deny"), method="post")
    assert (request.method, str(request.url)) == ("POST", "http://service/user")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.content == b"username=ann+%26+bob&password=s3cret&tags="
    assert answer == "deny"


@pytest.mark.parametrize("about", ["user", "vhost", "resource", "topic"])
async def test_each_kind_of_question_has_a_place_of_its_own(about):
    request, _ = await ask(httpx.Response(200, text="allow"), Question(about))
    assert request.url.path == f"/{about}"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, text="allow"),
        httpx.Response(404, text="allow"),
        httpx.Response(302, headers={"location": "http://elsewhere/"}, text="allow"),
        httpx.ConnectError("s3cret"),
        httpx.ReadTimeout("s3cret"),
    ],
)
async def test_what_is_no_answer_is_none_and_is_logged_without_the_secret(caplog, answer):
    caplog.set_level(logging.DEBUG)
    request, text = await ask(answer)
    assert request.url.host == "service"
    assert text == ""
    assert [record.levelname for record in caplog.records if record.name.startswith("leveret")] == ["ERROR"]
    assert "s3cret" not in caplog.text


async def test_an_answer_logs_nothing_of_the_question(caplog):
    caplog.set_level(logging.DEBUG)
    await ask(httpx.Response(200, text="allow"))
    assert "s3cret" not in caplog.text


async def test_a_url_that_is_none_is_no_answer():
    async with HttpQuestions(HttpPaths(*["nonsense"] * 4)) as questions, trio.open_nursery() as nursery:
        questions.server = Turns(nursery)
        told = []
        questions.ask(USER, told.append)
    assert told == [""]


# -- a broker and a service


@pytest.fixture
def service_url():
    with running_service() as service:
        yield service.url


def use(url):
    """As ann, then as somebody else; answers what was refused."""
    refused = []
    parameters = pika.URLParameters(url)
    parameters.credentials = pika.PlainCredentials("ann", "s3cret")
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("ann.orders")
        for _ in range(10):
            channel.basic_publish("", "ann.orders", b"m")
        refused.append(channel.queue_declare("ann.orders", passive=True).method.message_count)
        try:
            channel.queue_declare("orders")
        except pika.exceptions.ChannelClosedByBroker as error:
            refused.append(error.reply_text)
    parameters.credentials = pika.PlainCredentials("ann", "wrong")
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        pika.BlockingConnection(parameters)
    return refused


async def test_a_broker_asks_a_service(service_url):
    names = ("user", "vhost", "resource", "topic")
    paths = {f"auth_http_{name}_path": f"{service_url}/{name}" for name in names}
    settings = Settings(auth_backends=("http",), auth_http_method="post", **paths)
    async with leveret.Broker(settings=settings) as broker:
        refused = await trio.to_thread.run_sync(use, broker.url)
    text = "ACCESS_REFUSED - configure access to queue 'orders' in vhost '/' refused for user 'ann'"
    assert refused == [10, text]
