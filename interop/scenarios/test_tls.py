"""pika, aio-pika and kombu over TLS, with and without a certificate of their own. On Leveret only: it needs files."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aio_pika
import kombu
import pika
import pytest
import trustme

import leveret
from interop.scenarios.in_asyncio import in_asyncio
from leveret.config.settings import Settings
from leveret.config.values import Address

BODY = b"x" * 300_000  # more than a TLS record, an AMQP frame and a read


@dataclass(frozen=True)
class Served:
    """A broker that listens for TLS alone. client: files of a certificate it accepts."""

    url: str
    port: int
    cafile: Path
    client: tuple[Path, Path]

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.cafile)
        context.load_cert_chain(*self.client)
        return context


@pytest.fixture(scope="module", params=["verify_none", "verify_peer"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name, issued in (
        ("server", authority.issue_cert("localhost", "127.0.0.1")),
        ("client", authority.issue_cert("client@example.com", common_name="client")),
    ):
        issued.cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))
        issued.private_key_pem.write_to_path(str(folder / f"{name}.key"))
    settings = Settings(
        listeners_tcp=(), listeners_ssl=(Address("127.0.0.1", 0),), ssl_options_certfile=folder / "server.pem",
        ssl_options_keyfile=folder / "server.key", ssl_options_cacertfile=folder / "ca.pem",
        ssl_options_verify=request.param, ssl_options_fail_if_no_peer_cert=request.param == "verify_peer",
    )  # fmt: skip
    with leveret.run_in_thread(settings=settings) as broker:
        client = (folder / "client.pem", folder / "client.key")
        yield Served(f"amqps://guest:guest@localhost:{broker.port}/", broker.port, folder / "ca.pem", client)


def test_pika_confirms_and_consumes(served: Served) -> None:
    options = pika.SSLOptions(served.context(), "localhost")
    parameters = pika.ConnectionParameters("127.0.0.1", served.port, ssl_options=options)
    with contextlib.closing(pika.BlockingConnection(parameters)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        queue = channel.queue_declare("", exclusive=True).method.queue
        for _ in range(20):
            channel.basic_publish("", queue, BODY, mandatory=True)
        bodies = []
        for method, _, body in channel.consume(queue, inactivity_timeout=10):
            assert method is not None
            bodies.append(body)
            channel.basic_ack(method.delivery_tag)
            if len(bodies) == 20:
                break
    assert bodies == [BODY] * 20


@in_asyncio
async def test_aio_pika_connects_publishes_and_gets(served: Served) -> None:
    connection = await aio_pika.connect(
        served.url,
        ssl_options={"cafile": str(served.cafile), "certfile": str(served.client[0]), "keyfile": str(served.client[1])},
    )
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await asyncio.gather(*(channel.default_exchange.publish(aio_pika.Message(BODY), queue.name) for _ in range(20)))
        bodies = [(await queue.get(no_ack=True)).body for _ in range(20)]
    assert bodies == [BODY] * 20


def test_kombu_sends_and_gets(served: Served) -> None:
    options = {"ca_certs": str(served.cafile), "certfile": str(served.client[0]), "keyfile": str(served.client[1])}
    with kombu.Connection(served.url, ssl=options | {"cert_reqs": ssl.CERT_REQUIRED}) as connection:
        with connection.SimpleQueue("over-tls") as queue:
            queue.put({"body": "x" * 300_000})
            received = queue.get(timeout=10)
            assert received.payload == {"body": "x" * 300_000}
            received.ack()


def test_a_client_that_knows_nothing_of_the_authority_goes_away(served: Served) -> None:
    options = pika.SSLOptions(ssl.create_default_context(), "localhost")
    with pytest.raises(ssl.SSLCertVerificationError):
        pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", served.port, ssl_options=options))
