"""The backend over HTTP: what it is asked, in RabbitMQ's words, and what waits while it is asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from leveret.auth.access_control import AccessControl, Credentials, InternalBackend
from leveret.auth.http_backend import HttpBackend
from leveret.auth.questions import ANSWERS_MAX, ANSWERS_SECONDS, Answers, Question, Unanswered
from leveret.core.timers import Timers
from leveret_protocol.fields import table
from leveret_protocol.methods import Basic, Connection, Exchange, Frame, Queue, encode_method, make
from tests.harness import BrokerHarness, Client

TAGS = ("tags", "administrator impersonator")


class Service:
    """Somebody's own check. `answers(form)` says what to answer; the test has it answered when it likes."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.waiting: list[tuple[Question, Callable[[str], None]]] = []
        self.answers: Callable[[dict[str, str]], str] = lambda form: "allow"

    def fetch(self, question: Question, tell: Callable[[str], None]) -> None:
        self.asked.append((question.about, dict(question.fields)))
        self.waiting.append((question, tell))

    def answer(self) -> None:
        question, tell = self.waiting.pop(0)
        is_user = question.about == "user"
        tell(
            "Allow Administrator impersonator"
            if is_user and self.answers({}) == "allow"
            else self.answers(dict(question.fields))
        )


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def broker(harness: BrokerHarness, service: Service) -> BrokerHarness:
    """A broker that asks the service, and then knows users of its own."""
    backends = [HttpBackend(service.fetch), InternalBackend(harness.users)]
    harness.control = AccessControl(harness.node, harness.users, backends=backends)
    return harness


def answered(service: Service, *clients: Client) -> None:
    """Have everything answered, and let the clients go on."""
    while service.waiting:
        service.answer()
        for client in clients:
            client.connection.go_on()


@pytest.fixture
def web(broker: BrokerHarness, service: Service) -> Client:
    """A client with channel 1, of user web, who is known to the service alone."""
    client = broker.tcp("192.0.2.7:50000")
    client.send_header()
    client.start_ok("web", "s3cret")
    assert client.connection.is_blocked
    answered(service, client)
    client.expect(Connection.Tune, channel=0)
    client.tune_ok()
    client.open_vhost()
    answered(service, client)
    client.expect(Connection.OpenOk, channel=0)
    client.open(1)
    return client


def asked_by(client: Client, service: Service, *sent: Frame) -> list[tuple[str, dict[str, str]]]:
    service.asked.clear()
    client.send(*sent)
    answered(service, client)
    return list(service.asked)


class TestQuestions:
    """The fields are those that RabbitMQ 3.10.8 sends."""

    def test_of_the_handshake(self, service: Service, web: Client) -> None:
        assert service.asked == [
            ("user", {"username": "web", "password": "s3cret"}),
            ("vhost", dict([("username", "web"), ("vhost", "/"), ("ip", "192.0.2.7"), TAGS])),
        ]
        assert web.connection.user.tags == ("administrator", "impersonator")

    def test_of_a_declaration(self, service: Service, web: Client) -> None:
        asked = asked_by(web, service, make(Queue.Declare, queue="q"))
        assert asked == [("resource", self.of("queue", "q", "configure"))]
        web.expect(Queue.DeclareOk)

    def of(self, kind: str, name: str, permission: str) -> dict[str, str]:
        where = {"username": "web", "vhost": "/", "resource": kind, "name": name, "permission": permission}
        return dict([*where.items(), TAGS])

    def test_of_a_binding_with_a_topic(self, service: Service, web: Client) -> None:
        asked_by(web, service, make(Queue.Declare, queue="q"))
        web.received()
        asked = asked_by(web, service, make(Queue.Bind, queue="q", exchange="amq.topic", routing_key="k"))
        variables = {"routing_key": "k", "variable_map.username": "web", "variable_map.vhost": "/"}
        assert asked == [
            ("resource", self.of("queue", "q", "write")),
            ("resource", self.of("exchange", "amq.topic", "read")),
            ("topic", {**self.of("topic", "amq.topic", "read"), **variables}),
        ]
        web.expect(Queue.BindOk)

    def test_of_a_publish_to_the_default_exchange(self, service: Service, web: Client) -> None:
        service.asked.clear()
        web.publish("", "q")
        assert service.asked == [("resource", self.of("exchange", "amq.default", "write"))]

    def test_a_user_whom_a_certificate_has_proven_has_no_password(self, service: Service) -> None:
        with pytest.raises(Unanswered) as caught:
            HttpBackend(service.fetch).log_in(Credentials("CN=ann", None), Answers(Timers(lambda: 0.0)))
        assert caught.value.question.fields == (("username", "CN=ann"),)

    def test_a_question_does_not_show_its_password(self, service: Service, broker: BrokerHarness) -> None:
        client = broker.tcp()
        client.send_header()
        client.start_ok("web", "s3cret")
        ((question, _),) = service.waiting
        assert "s3cret" not in repr(question)

    def test_a_password_is_forgotten_once_the_user_is_let_in(self, web: Client) -> None:
        login = Question("user", (("username", "web"), ("password", "s3cret")))
        assert not web.connection.answers.has(login)


class TestWaiting:
    def test_what_follows_waits_and_keeps_its_order(self, service: Service, web: Client) -> None:
        web.send_bytes(
            encode_method(1, make(Queue.Declare, queue="q"))
            + web.published("", "q", b"first")
            + web.published("", "q", b"second")
            + encode_method(1, make(Basic.Get, queue="q", no_ack=True))
        )
        web.assert_silent()
        service.answer()
        web.connection.go_on()
        web.expect(Queue.DeclareOk)
        answered(service, web)
        (got,) = web.received()
        assert (got.body, got.method.message_count) == (b"first", 1)  # type: ignore[attr-defined]

    def test_other_connections_go_on(self, broker: BrokerHarness, service: Service, web: Client) -> None:
        web.send(make(Queue.Declare, queue="q"))
        other = broker.tcp()
        other.send_header()
        other.start_ok("web", "s3cret")
        service.waiting.reverse()
        service.answer()
        other.connection.go_on()
        other.expect(Connection.Tune, channel=0)
        web.assert_silent()

    def test_an_answer_holds_for_a_while(self, broker: BrokerHarness, service: Service, web: Client) -> None:
        asked_by(web, service, make(Queue.Declare, queue="q"))
        assert asked_by(web, service, make(Queue.Declare, queue="q")) == []
        web.received()
        service.asked.clear()
        web.publish("", "q", b"1")
        answered(service, web)
        web.publish("", "q", b"2")
        assert len(service.asked) == 1
        broker.advance(ANSWERS_SECONDS)
        service.asked.clear()
        web.publish("", "q", b"3")
        assert [form["name"] for _, form in service.asked] == ["amq.default"]
        service.answers = lambda form: "deny"
        answered(service, web)
        text = "ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused for user 'web'"
        web.expect_channel_close(text, Basic.Publish)

    def test_a_name_by_the_server_stays_the_same_while_it_is_asked_about(self, service: Service, web: Client) -> None:
        dead = table({"x-dead-letter-exchange": "amq.fanout"})
        asked = asked_by(web, service, make(Queue.Declare, queue="", exclusive=True, arguments=dead))
        name = web.expect(Queue.DeclareOk).queue
        assert [(form["name"], form["permission"]) for _, form in asked] == [
            (name, "configure"), (name, "read"), ("amq.fanout", "write"),
        ]  # fmt: skip
        asked_by(web, service, make(Queue.Declare, queue="", exclusive=True))
        assert web.expect(Queue.DeclareOk).queue != name

    def test_more_answers_than_are_remembered_are_asked_for_again(self, service: Service, web: Client) -> None:
        asked_by(web, service, *(make(Queue.Declare, queue=f"q{number}", nowait=True) for number in range(ANSWERS_MAX)))
        assert len(asked_by(web, service, make(Queue.Declare, queue="q0"))) == 1

    def test_a_connection_that_is_gone_is_not_told(self, service: Service, web: Client) -> None:
        web.send(make(Queue.Declare, queue="q"))
        web.lose()
        answered(service, web)
        web.assert_silent()

    def test_one_that_is_closed_meanwhile_carries_out_nothing_more(
        self, broker: BrokerHarness, service: Service, web: Client
    ) -> None:
        web.send_bytes(encode_method(1, make(Queue.Declare, queue="q")) + encode_method(0, make(Connection.CloseOk)))
        web.connection.force_close("shutdown")
        answered(service, web)
        web.expect(Connection.Close, channel=0)
        assert web.connection.drop_after_seconds == 0
        assert "q" not in broker.node.vhosts["/"].queues

    def test_an_error_behind_it_comes_behind_it(self, service: Service, web: Client) -> None:
        web.send_bytes(encode_method(1, make(Queue.Declare, queue="q")) + b"\x09broken frame")
        web.assert_silent()
        answered(service, web)
        first, second = web.received()
        assert (type(first.method), type(second.method)) == (Queue.DeclareOk, Connection.Close)


class TestAnswers:
    @pytest.mark.parametrize("answer", ["deny", "Deny because", "", "hm", "<html>"])
    def test_what_is_no_yes_is_a_refusal(self, service: Service, web: Client, answer: str) -> None:
        service.answers = lambda form: answer
        web.send(make(Exchange.Declare, exchange="x", exchange_type="direct"))
        answered(service, web)
        text = "ACCESS_REFUSED - configure access to exchange 'x' in vhost '/' refused for user 'web'"
        web.expect_channel_close(text, Exchange.Declare)

    def test_an_answer_that_is_neither_is_logged(
        self, service: Service, web: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        service.answers = lambda form: "<html>" * 100
        web.send(make(Exchange.Declare, exchange="x", exchange_type="direct"))
        answered(service, web)
        assert "answered neither allow nor deny: '<html>" in caplog.text
        assert len(caplog.records[0].getMessage()) < 150

    def test_a_virtual_host_may_be_refused(self, broker: BrokerHarness, service: Service) -> None:
        client = broker.tcp()
        client.send_header()
        client.start_ok("web", "s3cret")
        answered(service, client)
        client.expect(Connection.Tune, channel=0)
        client.tune_ok()
        service.answers = lambda form: "deny"
        client.open_vhost()
        answered(service, client)
        client.expect_connection_close("NOT_ALLOWED - access to vhost '/' refused for user 'web'", Connection.Open)

    def test_whom_one_backend_does_not_know_the_next_is_asked_about(
        self, broker: BrokerHarness, service: Service
    ) -> None:
        """And that one then knows what the user may do."""
        service.answers = lambda form: "deny"
        client = broker.tcp()
        client.send_header()
        client.start_ok("other")
        answered(service, client)
        client.expect(Connection.Tune, channel=0)
        client.tune_ok()
        client.open_vhost()
        client.expect(Connection.OpenOk, channel=0)
        client.open(1)
        client.declare("q")
        assert [about for about, _ in service.asked] == ["user"]

    def test_whom_none_knows_is_refused(self, broker: BrokerHarness, service: Service) -> None:
        service.answers = lambda form: "deny"
        client = broker.tcp()
        client.send_header()
        client.start_ok("other", "wrong")
        answered(service, client)
        close = client.expect(Connection.Close, channel=0)
        assert close.reply_text.startswith("ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.")
