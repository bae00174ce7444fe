"""Health checks: 200 with `ok`, or 503 with what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from leveret.management.answers import Answer, bad_request
from leveret.management.request import Request, Routes
from leveret.management.routes.nodes import check_node
from leveret.shell.certificate_dates import validity_problem

routes = Routes()

_OK = {"status": "ok"}
_UNIT_DAYS = {"days": 1, "weeks": 7, "months": 30, "years": 365}
_DIGITS_MAX = 3
_SINGLE_NODE = {"status": "ok", "reason": "single node cluster"}
# Each name of a protocol that a check may ask for -> that of the listener.
_PROTOCOLS = {"amqp091": "amqp", "amqp0.9.1": "amqp", "amqp0-9-1": "amqp", "amqps": "amqp/ssl"}


def _failed(reason: str, **details: object) -> Answer:
    return Answer(503, {"status": "failed", "reason": reason, **details})


@routes.add("GET", "/health/checks/alarms", "/health/checks/local-alarms")
def alarms(request: Request) -> object:
    resources = request.node.alarms.resources
    if not resources:
        return _OK
    on = [{"node": request.node.name, "resource": name} for name in resources]
    return _failed("There are alarms in effect in the cluster", alarms=on)


@routes.add("GET", "/health/checks/port-listener/{port}")
def port_listener(request: Request) -> object:
    try:
        port = int(request.names["port"])
    except ValueError:
        raise bad_request("Invalid port") from None
    ports = sorted({one.port for one in request.managed.listening})
    if port in ports:
        return {"status": "ok", "port": port}
    return _failed("No active listener", missing=port, ports=ports)


@routes.add("GET", "/health/checks/protocol-listener/{protocol}")
def protocol_listener(request: Request) -> object:
    """Several with commas: one of them will do."""
    wanted = request.names["protocol"].split(",")
    active = sorted({one.protocol for one in request.managed.listening})
    if any(_PROTOCOLS.get(name.lower(), name.lower()) in active for name in wanted):
        return {"status": "ok", "protocols": wanted, "protocol": wanted[0]}
    return _failed("No active listener", missing=wanted[0] if len(wanted) == 1 else wanted, protocols=active)


@routes.add("GET", "/health/checks/certificate-expiration/{within}/{unit}")
def certificate_expiration(request: Request) -> object:
    """Of the files that TLS listeners have their certificates from."""
    unit, text = request.names["unit"], request.names["within"]
    if unit not in _UNIT_DAYS:
        raise bad_request("Time unit not recognised. Supported units: days, weeks, months, years.")
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX):
        raise bad_request("Invalid expiration value.")
    then = datetime.now(UTC) + timedelta(days=int(text) * _UNIT_DAYS[unit])
    problems = {protocol: _problem(path, then) for protocol, path in request.managed.certificates.items()}
    expired = [
        {
            "node": request.node.name, "protocol": one.protocol, "interface": one.host, "port": one.port,
            "reason": f"the certificate {problems[one.protocol]}",
        }
        for one in request.managed.listening if problems.get(one.protocol) is not None
    ]  # fmt: skip
    return _failed("Certificates expiring", expired=expired) if expired else _OK


def _problem(certificate: Path, then: datetime) -> str | None:
    try:
        return validity_problem(certificate, then)
    except OSError as error:
        return f"cannot be read: {error.strerror}"


@routes.add("GET", "/health/checks/virtual-hosts", "/health/checks/metadata-store/initialized",
            "/health/checks/metadata-store/initialized/with-data", "/health/checks/reached-target-cluster-size",
            "/health/checks/quorum-queues-without-elected-leaders/all-vhosts")  # fmt: skip
def always_ok(_request: Request) -> object:
    """What cannot be wrong on a single node that answers."""
    return _OK


@routes.add("GET", "/health/checks/quorum-queues-without-elected-leaders/all-vhosts/pattern/{pattern}",
            "/health/checks/quorum-queues-without-elected-leaders/vhost/{vhost}",
            "/health/checks/quorum-queues-without-elected-leaders/vhost/{vhost}/pattern/{pattern}")  # fmt: skip
def leaders(request: Request) -> object:
    """This node leads them all."""
    if "vhost" in request.names:
        request.vhost()
    return _OK


@routes.add("GET", "/health/checks/node-is-quorum-critical", "/health/checks/node-is-mirror-sync-critical")
def single_node(_request: Request) -> object:
    return _SINGLE_NODE


@routes.add("GET", "/health/checks/is-in-service", "/health/checks/ready-to-serve-clients",
            "/health/checks/below-node-connection-limit", tags=None)  # fmt: skip
def ready(_request: Request) -> object:
    """There is no limit of connections of the node, and whoever listens here serves."""
    return _OK


@routes.add("GET", "/aliveness-test/{vhost}", "/healthchecks/node", "/healthchecks/node/{node}")
def alive(request: Request) -> object:
    """RabbitMQ 4.x does nothing here, but looks at the virtual host."""
    if "vhost" in request.names:
        request.vhost()
    if "node" in request.names:
        check_node(request)
    return _OK
