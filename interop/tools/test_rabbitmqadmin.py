"""RabbitMQ's rabbitmqadmin, the Python program of RabbitMQ 3.x, and `leveret admin`, which prints the same."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pika
import pytest

from interop.rabbitmqadmin import script
from interop.rabbitmqadmin.program import caller, rabbitmqadmin
from interop.tools.conftest import Api, eventually
from leveret.cli import main
from leveret.cli.admin.v1.listing import FORMATS

Run = Callable[..., str]

# What changes from one request to the next.
_VARYING = re.compile(r"\d+\.\d+|\b\d{4,}\b|-?\d+")


@pytest.fixture(params=["rabbitmqadmin", "leveret"])
def run(request: pytest.FixtureRequest, api: Api, tmp_path: Path) -> Run:
    """Runs a command that has to succeed; its output."""
    return runner(request.param, api, tmp_path)


def runner(name: str, api: Api, folder: Path) -> Run:
    if name == "leveret":
        call = in_this_process(folder)
    elif found := rabbitmqadmin():
        call = caller(found, folder)
    else:
        pytest.skip("rabbitmqadmin is not installed (Debian: rabbitmq-server)")

    def run(*arguments: str, status: int = 0) -> str:
        ended, stdout, stderr = call(["-H", "127.0.0.1", "-P", str(api.port), *arguments])
        assert ended == status, (arguments, stdout, stderr)
        return stdout if status == 0 else stderr

    return run


def in_this_process(folder: Path) -> script.Run:
    def call(arguments: list[str]) -> tuple[int, str, str]:
        stdout, stderr = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("HOME", str(folder))
            patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(script.STANDARD_INPUT), encoding="utf-8"))
            with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
                status = main(["admin", *arguments])
        return status, stdout.getvalue(), stderr.getvalue()

    return call


def test_every_kind_of_object_is_declared_listed_and_deleted(run: Run, vhost: str) -> None:
    declared = [
        ("vhost", "name=tools-other"),
        ("user", "name=tools-user", "password=p", "tags=management"),
        ("permission", f"vhost={vhost}", "user=tools-user", "configure=.*", "write=^w", "read="),
        ("exchange", "name=x", "type=topic"),
        ("queue", "name=q", "durable=false", "auto_delete=true", 'arguments={"x-expires": 60000}'),
        ("queue", "name=quorum", "queue_type=quorum"),
        ("binding", "source=x", "destination=q", "routing_key=a.#"),
        ("binding", "source=x", "destination=amq.fanout", "destination_type=exchange", "routing_key=b"),
        ("policy", "name=p", "pattern=^q", 'definition={"max-length": 5}', "priority=3", "apply-to=queues"),
        ("operator_policy", "name=cap", "pattern=^q", 'definition={"max-length": 50}', "apply-to=queues"),
        ("vhost_limit", f"vhost={vhost}", "name=max-queues", "value=50"),
    ]
    for kind, *arguments in declared:
        assert run("-V", vhost, "declare", kind, *arguments) == f"{kind} declared\n"
    tsv = ("-q", "-f", "tsv", "-V", vhost, "list")
    assert run(*tsv, "queues", "name", "durable", "auto_delete", "type").splitlines() == [
        "q\tFalse\tTrue\tclassic", "quorum\tTrue\tFalse\tquorum",
    ]  # fmt: skip
    assert "x\ttopic" in run(*tsv, "exchanges", "name", "type").splitlines()
    assert "x\tq\ta.#\ta.%23" in run(*tsv, "bindings", "source", "destination", "routing_key", "properties_key")
    assert f"{vhost}\ttools-user\t.*\t^w" in run(*tsv, "permissions", "vhost", "user", "configure", "write")
    assert f'{vhost}\tp\t{{"max-length": 5}}\t3' in run(*tsv, "policies", "vhost", "name", "definition", "priority")
    assert f"{vhost}\tcap" in run(*tsv, "operator_policies", "vhost", "name")
    assert f'{vhost}\t{{"max-queues": 50}}' in run(*tsv, "vhost_limits", "vhost", "value")
    assert "tools-user\tmanagement" in run(*tsv, "users", "name", "tags")
    assert "tools-other" in run(*tsv, "vhosts", "name").splitlines()
    deleted = [
        ("operator_policy", "name=cap"),
        ("policy", "name=p"),
        ("vhost_limit", f"vhost={vhost}", "name=max-queues"),
        ("binding", "source=x", "destination_type=queue", "destination=q", "properties_key=a.%23"),
        ("binding", "source=x", "destination_type=exchange", "destination=amq.fanout", "properties_key=b"),
        ("queue", "name=quorum"),
        ("exchange", "name=x"),
        ("permission", f"vhost={vhost}", "user=tools-user"),
        ("user", "name=tools-user"),
        ("vhost", "name=tools-other"),
    ]
    for kind, *arguments in deleted:
        assert run("-V", vhost, "delete", kind, *arguments) == f"{kind} deleted\n"
    assert run("-V", vhost, "delete", "exchange", "name=x", status=1).startswith("*** Not found: /api/exchanges/")
    refused = run("-V", vhost, "declare", "exchange", "name=x", "type=nonsense", status=1)
    assert refused.startswith("*** ")


def test_parameters(run: Run, vhost: str) -> None:
    general = ("-V", vhost)
    arguments = ("component=federation-upstream", "name=up")
    assert (
        run(*general, "declare", "parameter", *arguments, 'value={"uri": "amqp://nowhere"}') == "parameter declared\n"
    )
    assert "federation-upstream" in run("-f", "tsv", "list", "parameters", "vhost", "name", "component", "value")
    assert run(*general, "delete", "parameter", *arguments) == "parameter deleted\n"


def test_messages_go_through(run: Run, vhost: str, tmp_path: Path) -> None:
    general = ("-V", vhost)
    run(*general, "declare", "queue", "name=q")
    properties = 'properties={"delivery_mode": 2, "headers": {"a": 1}}'
    assert run(*general, "publish", "routing_key=q", "payload=one", properties) == "Message published\n"
    assert run(*general, "publish", "routing_key=q", "exchange=amq.default") == "Message published\n"  # standard input
    assert run(*general, "publish", "routing_key=nope", "payload=x") == "Message published but NOT routed\n"
    header, first = run(*general, "-f", "tsv", "get", "queue=q").splitlines()
    assert dict(zip(header.split("\t"), first.split("\t"), strict=True)) == {
        "exchange": "", "routing_key": "q", "message_count": "1", "payload": "one", "payload_bytes": "3",
        "payload_encoding": "string", "redelivered": "False",
    }  # fmt: skip
    first, second = json.loads(run(*general, "-f", "raw_json", "get", "queue=q", "count=5"))
    assert first["properties"] == {"delivery_mode": 2, "headers": {"a": 1}}
    assert (first["redelivered"], second["payload"]) == (True, "from stdin\n")
    run(*general, "get", "queue=q", "payload_file=payload", "ackmode=ack_requeue_false")
    assert (tmp_path / "payload").read_bytes() == b"one"
    assert run(*general, "purge", "queue", "name=q") == "queue purged\n"
    assert run(*general, "get", "queue=q") == "No items\n"


def test_definitions_go_out_and_in(run: Run, vhost: str, tmp_path: Path) -> None:
    general = ("-V", vhost)
    run(*general, "declare", "queue", "name=kept")
    assert run("export", "all.json") == 'Exported definitions for 127.0.0.1 to "all.json"\n'
    run(*general, "export", "vhost.json")
    assert [queue["name"] for queue in json.loads((tmp_path / "vhost.json").read_text())["queues"]] == ["kept"]
    for arguments in (("import", "all.json"), (*general, "import", "vhost.json")):
        run(*general, "delete", "queue", "name=kept")
        assert run(*arguments).startswith('Uploaded definitions from "127.0.0.1" to ')
        assert run("-q", "-f", "tsv", *general, "list", "queues", "name") == "kept\n"


def test_a_connection_is_closed(run: Run, api: Api, vhost: str) -> None:
    with api.connect(vhost) as connection:
        connection.channel()
        name = wait_for_connection(run, vhost)
        assert run("close", "connection", f"name={name}") == "connection closed\n"
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as closed:
            connection.process_data_events(time_limit=10)
    assert closed.value.reply_code == 320


def wait_for_connection(run: Run, vhost: str) -> str:
    """The name of the only one in the virtual host."""

    def names() -> list[str]:
        lines = run("-q", "-f", "tsv", "list", "connections", "name", "vhost").splitlines()
        return [name for name, of in (line.split("\t") for line in lines if "\t" in line) if of == vhost]

    (name,) = eventually(names)
    return name


@pytest.mark.parametrize("form", FORMATS)
def test_lists_look_the_same_in_every_format(api: Api, vhost: str, tmp_path: Path, form: str) -> None:
    """Numbers apart, which go on changing."""
    theirs, ours = (runner(name, api, tmp_path) for name in ("rabbitmqadmin", "leveret"))
    ours("-V", vhost, "declare", "queue", "name=q", 'arguments={"x-max-length": 5}')
    ours("-V", vhost, "declare", "policy", "name=p", "pattern=.", 'definition={"max-length": 5}')
    for arguments in (("list", "queues"), ("list", "policies"), ("list", "users"), ("show", "overview")):
        general = ("-V", vhost, "-f", form)
        assert masked(ours(*general, *arguments)) == masked(theirs(*general, *arguments)), arguments


def masked(output: str) -> list[str]:
    return [re.sub("[ -]+", " ", _VARYING.sub("N", line)) for line in output.splitlines()]


@pytest.mark.parametrize("kind", ["connections", "channels", "consumers", "nodes", "vhosts", "permissions"])
def test_what_there_is_is_listed(run: Run, api: Api, vhost: str, kind: str) -> None:
    with api.connect(vhost) as connection:
        channel = connection.channel()
        channel.queue_declare("q")
        channel.basic_consume("q", lambda *_: None)
        wait_for_connection(run, vhost)
        assert run("list", kind).startswith("+-")
