"""The commands, and the form in which what they ask and print is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from interop.rabbitmqadmin.canned import CannedApi

RECORDED = Path(__file__).parent / "recorded.txt"
CONFIGURATION = """\
[default]
vhost = mg

[other]
hostname = 127.0.0.1
username = alice
declare_vhost = v2
"""
DEFINITIONS = '{"queues": []}'
STANDARD_INPUT = b"from stdin\n"

# (exit status, stdout, stderr) of a command; the working directory is the user's home
Run = Callable[[list[str]], tuple[int, str, str]]

SCRIPT = [
    ["list", "users"],
    ["list", "vhosts"],
    ["list", "connections"],
    ["list", "exchanges"],
    ["list", "bindings"],
    ["list", "permissions"],
    ["list", "channels"],
    ["list", "parameters"],
    ["list", "policies"],
    ["list", "operator_policies"],
    ["list", "queues"],
    ["list", "nodes"],
    ["list", "consumers"],
    ["list", "vhost_limits"],
    ["show", "overview"],
    ["show", "overview", "node", "listeners"],
    ["list", "queues", "name", "messages", "arguments.x-max-length", "nope"],
    ["list", "queues", "message_stats.publish_details.rate", "name"],
    ["-V", "mg", "list", "queues"],
    ["-V", "missing", "list", "queues"],
    ["-V", "empty", "list", "queues"],
    ["-q", "-V", "empty", "list", "queues"],
    ["-f", "tsv", "-V", "empty", "list", "queues"],
    ["-f", "raw_json", "-V", "empty", "list", "queues"],
    ["list", "queues", "name", "messages", "-f", "tsv"],
    ["-q", "-f", "tsv", "list", "queues", "name", "messages"],
    ["--format=long", "list", "queues", "name", "policy", "durable"],
    ["-f", "kvp", "list", "queues", "name", "policy", "durable"],
    ["-f", "bash", "list", "queues"],
    ["-f", "bash", "list", "bindings"],
    ["-f", "pretty_json", "list", "permissions"],
    ["-f", "raw_json", "list", "permissions"],
    ["-f", "raw_json", "list", "permissions", "user"],
    ["-f", "long", "-d", "1", "list", "queues"],
    ["-f", "long", "-d", "3", "list", "queues"],
    ["-f", "long", "--depth", "2", "show", "overview"],
    ["-d", "2", "list", "policies"],
    ["-S", "name", "-R", "list", "queues"],
    ["--sort", "messages", "list", "queues"],
    ["-N", "default", "list", "queues"],
    ["-c", "admin.conf", "-N", "other", "list", "queues"],
    ["-c", "admin.conf", "-N", "other", "declare", "queue", "name=q"],
    ["-c", "admin.conf", "-N", "nowhere", "list", "queues"],
    ["-c", "none.conf", "list", "queues"],
    ["-c", "admin.conf", "list", "queues"],
    ["-c", "admin.conf", "-V", "empty", "list", "queues"],
    ["-V", "moved", "list", "queues"],
    ["declare", "queue", "name=q"],
    ["declare", "queue", "name=q", "durable=false", "auto_delete=true", 'arguments={"x-max-length": 5}', "node=rabbit"],
    ["declare", "queue", "name=a b/c", "queue_type=quorum"],
    ["-V", "mg", "declare", "queue", "name=q"],
    ["-q", "declare", "queue", "name=q"],
    ["declare", "queue", "name=forbidden"],
    ["declare", "queue"],
    ["declare", "queue", "q"],
    ["declare", "queue", "name=q", "foo=1"],
    ["declare", "queue", "name=q", "arguments={"],
    ["declare", "exchange", "name=x", "type=topic"],
    ["declare", "exchange", "name=x", "type=fanout", "durable=false", "auto_delete=true", "internal=true"],
    ["declare", "exchange", "name=bad", "type=nonsense"],
    ["declare", "exchange", "name=x"],
    ["declare", "binding", "source=x", "destination=q"],
    ["declare", "binding", "source=x", "destination=q", "routing_key=a.#", 'arguments={"x-match": "all"}'],
    ["declare", "binding", "source=x", "destination=y", "destination_type=exchange", "routing_key=k"],
    ["declare", "vhost", "name=v", "tracing=true"],
    ["declare", "user", "name=u", "password=p", "tags=administrator,monitoring"],
    [
        "declare",
        "user",
        "name=u",
        "password_hash=aGFzaA==",
        "hashing_algorithm=rabbit_password_hashing_sha512",
        "tags=",
    ],
    ["declare", "user", "name=u", "tags="],
    ["declare", "user", "name=u", "password=p"],
    ["declare", "permission", "vhost=v", "user=u", "configure=.*", "write=^a", "read="],
    ["declare", "policy", "name=p", "pattern=^q", 'definition={"max-length": 5}', "priority=7", "apply-to=queues"],
    ["declare", "policy", "name=p", "pattern=^q"],
    ["declare", "operator_policy", "name=p", "pattern=^q", 'definition={"max-length": 5}'],
    ["declare", "parameter", "component=federation-upstream", "name=up", 'value={"uri": "amqp://"}'],
    ["declare", "vhost_limit", "vhost=v", "name=max-queues", "value=5"],
    ["declare", "nonsense", "name=q"],
    ["declare"],
    ["publish", "routing_key=q", "payload=hello"],
    ["publish", "exchange=x", "routing_key=a.b", "payload=hello", 'properties={"delivery_mode": 2}'],
    ["publish", "exchange=x", "routing_key=a.b", "payload=aGk=", "payload_encoding=base64"],
    ["publish", "exchange=unrouted", "routing_key=q", "payload=hello"],
    ["publish", "exchange=missing", "routing_key=q", "payload=hello"],
    ["publish", "routing_key=q"],
    ["publish", "payload=hello"],
    ["get", "queue=q"],
    ["get", "queue=q", "count=5", "ackmode=ack_requeue_false", "encoding=base64"],
    ["-f", "long", "-d", "3", "get", "queue=q"],
    ["-f", "raw_json", "get", "queue=q"],
    ["get", "queue=missing"],
    ["get", "queue=q", "payload_file=payload"],
    ["get", "queue=q", "payload_file=payload", "count=2"],
    ["purge", "queue", "name=q"],
    ["purge", "queue", "name=missing"],
    ["close", "connection", "name=127.0.0.1:51104 -> 127.0.0.1:5672"],
    ["close", "connection", "name=missing"],
    ["delete", "queue", "name=q"],
    ["delete", "queue", "name=missing"],
    ["delete", "exchange", "name=x"],
    ["delete", "binding", "source=x", "destination_type=queue", "destination=q"],
    ["delete", "binding", "source=x", "destination_type=exchange", "destination=y", "properties_key=a.%23"],
    ["delete", "binding", "source=x", "destination=q"],
    ["delete", "vhost", "name=v"],
    ["delete", "user", "name=u"],
    ["delete", "permission", "vhost=v", "user=u"],
    ["delete", "parameter", "component=federation-upstream", "name=up"],
    ["delete", "policy", "name=p"],
    ["delete", "operator_policy", "name=p"],
    ["delete", "vhost_limit", "vhost=v", "name=max-queues"],
    ["export", "exported.json"],
    ["-V", "mg", "export", "exported.json"],
    ["export"],
    ["import", "definitions.json"],
    ["-V", "mg", "import", "definitions.json"],
    ["list", "nonsense", "name"],
    ["show", "queues"],
    ["help", "nonsense"],
    [],
    ["-x", "list", "queues"],
    ["-t", "soon", "list", "queues"],
]


def shown(command: list[str], run: Run, api: CannedApi) -> str:
    """The command, what it asked the API for, and what it printed; without what is different in each run."""
    host, port = "127.0.0.1", str(api.port)
    options = ["-P", port] if "-N" in command else ["-H", host, "-P", port]
    status, stdout, stderr = run([*options, *command])
    lines = [
        *(f"> {request}" for request in api.taken()),
        *(f"1: {line}" for line in stdout.splitlines()),
        *(f"2: {line}" for line in stderr.splitlines()),
    ]
    return "\n".join([f"$ {_words(command)}", *lines, f"-> {status}"]).replace(port, "PORT")


def _words(command: list[str]) -> str:
    return " ".join(f"'{word}'" if re.search(r"[^\w=./-]|^$", word) else word for word in command)


def prepare(home: Path) -> None:
    """The files that commands need."""
    (home / ".rabbitmqadmin.conf").write_text("[default]\nhostname = 127.0.0.1\n")
    (home / "admin.conf").write_text(CONFIGURATION)
    (home / "definitions.json").write_text(DEFINITIONS)


def transcript(run: Run, api: CannedApi) -> list[str]:
    """All commands, one after the other."""
    return [shown(command, run, api) for command in SCRIPT]


def recorded() -> list[str]:
    """What rabbitmqadmin asked and printed."""
    return RECORDED.read_text(encoding="utf-8").rstrip("\n").split("\n\n")
