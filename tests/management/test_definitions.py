"""Definitions: RabbitMQ's files in, ours out, and the same broker again from them."""

import json
from pathlib import Path

import httpx
import pytest
import trio

from leveret.management.definitions import Import, exported
from leveret.shell import turns
from tests.harness import BrokerHarness
from tests.management.conftest import Api

SAMPLES = Path(__file__).with_name("samples")
KINDS = (
    "users",
    "vhosts",
    "permissions",
    "topic_permissions",
    "parameters",
    "policies",
    "queues",
    "exchanges",
    "bindings",
)


def sample(name):
    return json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))["answer"]


def without_streams(definitions):
    """They are not served yet."""
    queues = [queue for queue in definitions["queues"] if queue["arguments"].get("x-queue-type") != "stream"]
    return definitions | {"queues": queues}


async def test_a_file_of_rabbitmq_is_imported(api):
    response = await api.post("/definitions", without_streams(sample("definitions")))
    assert (response.status_code, response.content) == (204, b"")
    vhost = api.node.vhosts["mg"]
    assert {"orders", "qq", "backlog"} == vhost.queues.keys()
    assert vhost.queues["orders"].arguments["x-message-ttl"].value == 600000
    assert [policy.name for policy in vhost.policies] == ["ha"]
    assert sorted(binding.routing_key for binding in vhost.exchanges["events"].bindings.values()) == [
        "order.#",
        "special",
    ]
    assert dict(api.harness.users.permissions.of_user("guest")).keys() == {"/", "mg"}


async def test_what_is_exported_makes_the_same_broker(api):
    await api.post("/definitions", without_streams(sample("definitions")))
    await api.put("/operator-policies/mg/cap", {"pattern": ".*", "definition": {"max-length": 9}})
    await api.put("/vhost-limits/mg/max-queues", {"value": 200})
    await api.put("/topic-permissions/mg/guest", {"exchange": "amq.topic", "write": "a", "read": "b"})
    await api.put("/vhosts/mg", {"description": "words", "tags": "t"})
    first = await api.get("/definitions")
    again = Api(BrokerHarness())
    assert (await again.post("/definitions", first)).status_code == 204
    second = await again.get("/definitions")
    for kind in KINDS:
        assert sorted(map(json.dumps, first[kind])) == sorted(map(json.dumps, second[kind])), kind


async def test_a_virtual_host_goes_into_another_one(api):
    await api.post("/definitions", without_streams(sample("definitions")))
    of_vhost = await api.get("/definitions/mg")
    assert all("vhost" not in queue for queue in of_vhost["queues"])
    await api.put("/vhosts/copy")
    assert (await api.post("/definitions/copy", of_vhost)).status_code == 204
    copied = await api.get("/definitions/copy")
    assert copied["queues"] == of_vhost["queues"]
    assert copied["bindings"] == of_vhost["bindings"]


async def test_what_an_export_leaves_out(api):
    client = api.harness.connect()
    client.declare("mine", exclusive=True)
    client.bind("mine", "amq.fanout", "k")
    client.declare("transient")
    definitions = await api.get("/definitions?download=file.json")
    assert [queue["name"] for queue in definitions["queues"]] == ["transient"]
    assert definitions["exchanges"] == definitions["bindings"] == []
    response = await api.ask("GET", "/definitions?download=file.json")
    assert response.headers["content-disposition"] == "attachment; filename=file.json"


@pytest.mark.parametrize("name", ["a%0d%0aset-cookie:b", "%C3%A9"])
async def test_a_name_that_no_header_can_have(api, name):
    response = await api.ask("GET", f"/definitions?download={name}")
    assert (response.status_code, response.json()["reason"]) == (400, "bad_download_name")


async def test_what_is_there_stays_and_missing_flags_are_those_of_4x(api):
    await api.put("/queues/%2F/old", {"durable": False})
    await api.post(
        "/definitions", {"queues": [{"name": "old", "vhost": "/", "durable": True}, {"name": "new", "vhost": "/"}]}
    )
    queues = api.node.vhosts["/"].queues
    assert (queues["old"].durable, queues["new"].durable) == (False, True)


async def test_reserved_names_and_loose_ends_are_skipped(api):
    definitions = {
        "queues": [{"name": "amq.q", "vhost": "/"}],
        "exchanges": [{"name": "amq.x", "vhost": "/", "type": "direct"}],
        "bindings": [{"source": "nope", "vhost": "/", "destination": "nope", "destination_type": "queue"}],
        "unknown": 5,
    }
    assert (await api.post("/definitions", definitions)).status_code == 204
    assert api.node.vhosts["/"].queues == {}


async def test_a_user_is_overwritten_and_an_old_hash_works(api):
    user = {"name": "guest", "password_hash": "CQ6MO8fnpYtLx7pXXlhWGCkTNXg=", "tags": "administrator"}
    import base64
    import hashlib

    salted = b"\1\2\3\4" + hashlib.md5(b"\1\2\3\4old").digest()
    user["password_hash"] = base64.b64encode(salted).decode()
    await api.post("/definitions", {"rabbit_version": "3.5.7", "users": [user]})
    assert (await api.get("/whoami", password="old"))["tags"] == ["administrator"]


@pytest.mark.parametrize(
    ("definitions", "reason"),
    [
        ({"users": [{"name": "a"}]}, "tags_not_present"),
        ({"queues": [{"name": "q", "vhost": "nope"}]}, "queues, item 1 (q): there is no virtual host nope"),
        ({"queues": [{"name": "q"}]},
         "queues, item 1 (q): there is no vhost: are these the definitions of a single virtual host?"),
        ({"exchanges": [{"name": "x", "vhost": "/", "type": "odd"}]},
         "exchanges, item 1 (x): unknown exchange type 'odd'"),
        ({"permissions": [{"user": "a", "vhost": "/", "configure": "", "write": "", "read": ""}]},
         'permissions, item 1: User "a" does not exist'),
        ({"queues": {}}, None),
        ({"queues": 5}, "queues: not a list"),
        ({"queues": [5]}, "queues, item 1: not an object"),
    ],
)  # fmt: skip
async def test_an_error_names_its_item(api, definitions, reason):
    response = await api.post("/definitions", definitions)
    if reason is None:
        assert response.status_code == 204
    else:
        assert (response.status_code, response.json()["reason"]) == (400, reason)


@pytest.mark.parametrize("content", [b"[]", b"{oops", b'"x"'])
async def test_what_is_no_definitions(api, content):
    response = await api.ask("POST", "/definitions", content=content, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["reason"]) == (400, "failed_to_parse_json")


async def test_an_upload_by_a_form(api):
    files = {"file": ("d.json", json.dumps({"queues": [{"name": "q", "vhost": "/"}]}).encode(), "application/json")}
    import httpx

    form = httpx.Request("POST", "http://x", files=files, data={"redirect": "../#/import-succeeded"})
    headers = {"content-type": form.headers["content-type"]}
    response = await api.ask("POST", "/definitions", content=form.read(), headers=headers)
    assert (response.status_code, response.headers["location"]) == (303, "../#/import-succeeded")
    assert "q" in api.node.vhosts["/"].queues


@pytest.mark.parametrize(
    "place", ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", "\\\\evil.example"]
)
async def test_a_form_leads_to_no_other_site(api, place):
    """For a browser a backslash is a slash, and a tab is not there."""
    import httpx

    form = httpx.Request("POST", "http://x", files={"file": b"{}"}, data={"redirect": place})
    headers = {"content-type": form.headers["content-type"]}
    response = await api.ask("POST", "/definitions", content=form.read(), headers=headers)
    assert (response.status_code, "location" in response.headers) == (204, False)


async def test_another_type_is_refused(api):
    response = await api.ask("POST", "/definitions", content=b"{}", headers={"content-type": "text/plain"})
    assert response.status_code == 415


def test_a_file_is_imported_without_http(harness):
    Import(harness.node, harness.users, "test").run({"vhosts": [{"name": "v"}]})
    assert "v" in [vhost["name"] for vhost in exported(harness.node, harness.users)["vhosts"]]


@pytest.fixture
def short_turns(monkeypatch):
    """Every look at the clock ends one."""
    monkeypatch.setattr(turns, "TURN_SECONDS", 0)


async def looking(asked, look):
    """What `look` tells between the turns of a request, and the response."""
    seen, responses = [], []

    async def ask():
        responses.append(await asked)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        while not responses:
            await trio.lowlevel.checkpoint()
            seen.append(look())
    return seen, responses[0]


def queues_to_import(count=50):
    return {"queues": [{"name": f"q{number}", "vhost": "/"} for number in range(count)]}


async def test_messages_go_on_during_an_import(api, short_turns):
    seen, response = await looking(
        api.post("/definitions", queues_to_import()), lambda: len(api.node.vhosts["/"].queues)
    )
    assert response.status_code == 204
    assert seen[-1] == 50
    assert len({*seen}) > 10


async def test_messages_go_on_while_a_file_from_a_form_is_read(api, short_turns):
    octets = json.dumps({"x": [{"y": number} for number in range(7_000)], "vhosts": [{"name": "v"}]}).encode()
    form = httpx.Request("POST", "http://x", files={"file": octets})
    asked = api.ask("POST", "/definitions", content=form.read(), headers={"content-type": form.headers["content-type"]})
    seen, response = await looking(asked, lambda: None)
    assert response.status_code == 204
    assert "v" in api.node.vhosts
    assert len(seen) > 500


async def test_messages_go_on_while_a_large_body_is_read(api, short_turns):
    body = {"value": 1, "x": [{"y": number} for number in range(7_000)]}
    seen, status = await looking(api.put("/global-parameters/p", body), lambda: None)
    assert status == 201
    assert api.node.parameters["p"] == 1
    assert len(seen) > 500


async def test_a_large_body_that_is_no_json_is_refused_where_it_is_looked_at(api):
    content, headers = b"[" + b"1," * 33_000, {"content-type": "application/json"}
    refused = await api.ask("PUT", "/global-parameters/p", content=content, headers=headers)
    assert (refused.status_code, refused.json()) == (400, {"error": "bad_request", "reason": "not_json"})
    refused = await api.ask("POST", "/definitions", content=content, headers=headers)
    assert (refused.status_code, refused.json()["reason"]) == (400, "failed_to_parse_json")
    assert (await api.ask("PUT", "/queues/none/q", content=content, headers=headers)).status_code == 404


@pytest.mark.parametrize("path", ["/definitions", "/definitions/%2F"])
async def test_an_export_tells_of_each_thing_as_it_is_then(api, harness, short_turns, path):
    vhost = api.node.vhosts["/"]
    client = harness.connect()
    for number in range(20):
        client.declare(f"q{number}", durable=True)
        client.bind(f"q{number}", "amq.direct")
        vhost.policies.set(f"p{number}", pattern="none", definition={"max-length": 1})

    def change():
        client.declare("new", durable=True)
        client.bind("new", "amq.fanout")
        client.declare_exchange("e")
        vhost.policies.set("new", pattern="none", definition={"max-length": 1})

    seen, response = await looking(api.ask("GET", path), change)
    assert len(seen) > 10
    definitions = response.json()
    assert {f"q{number}" for number in range(20)} <= {queue["name"] for queue in definitions["queues"]}
    assert {"source": "amq.direct", "destination": "q19"}.items() <= definitions["bindings"][19].items()


async def test_a_virtual_host_that_is_deleted_during_an_import_ends_it(api, short_turns):
    api.node.add_vhost("v")

    def delete():
        if "v" in api.node.vhosts and api.node.vhosts["v"].queues:
            api.node.delete_vhost("v")

    _, response = await looking(api.post("/definitions/v", queues_to_import()), delete)
    assert response.status_code == 400
    assert response.json()["reason"].endswith("virtual host v was deleted meanwhile")
    assert "v" not in api.node.vhosts
