"""A whole broker, to be had in three ways: within a trio program, in a thread of its own, or as the process itself.

Puts the rooms together: the core's node, the users, and the shell that serves them.
"""

import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import trio

from leveret import parts
from leveret.application import Addresses, Application, Where, without_serving
from leveret.auth.users import Users
from leveret.config.settings import Settings
from leveret.config.values import Address
from leveret.core.node import Node
from leveret.left_in_memory import Left
from leveret.process import Process
from leveret.shell.control import SOCKET_NAME, Control, announced, control_socket
from leveret.shell.garbage import collect_seldom, collect_what_ended
from leveret.storage.base import StoreError

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# Where a listener takes connections on every address, a client on this machine finds it here.
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


class Broker:
    """An AMQP broker. Without a data directory it keeps everything in memory, and begins empty each time it is entered.

        async with leveret.Broker() as broker:
            await trio.to_thread.run_sync(use_it_with_pika, broker.url)

    host: a name or an address; a name is listened on at all its addresses.
    port: 0 takes a free one, which is here once the broker is entered.
    tls_port: that of the first TLS listener, if there is one; `port` too, where there are no others.
    management: where the HTTP API listens; None: there is none. Then its address is `management_url`.
    metrics: where those for Prometheus are; None: nowhere. There are none, and a warning, where the port is taken.
    settings: all else; its `listeners_tcp`, if it has one, is listened on instead of host and port.
    data_dir: where durable queues and their persistent messages are kept; made if need be, for one broker at a time.
    durability: what a confirmed message has survived: "fsync", it is on the disk; "os", the system has it.
    runtime_dir: where `leveret ctl` finds it by the name of its node, besides in its data directory; None: nowhere.
    config_files: those that the settings are from, for `rabbitmqctl status`.
    is_alone: the process is nothing but this broker, which may make itself at home in it.
    on_stop: called where an operator asks for its end; None: only the program it is part of can end it.

    Entering raises OSError where it cannot listen, which may be for its certificates; ConfigurationError for settings
    that only the parts themselves can check; StoreError if the data directory cannot be used. Leaving closes all
    connections with CONNECTION_FORCED (320), and takes no more than a second. A failure of the broker itself cancels
    the block, and is raised out of it.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, *, data_dir: Path | None = None, durability: str = "fsync",
        management: Address | None = None, metrics: Address | None = None,
        settings: Settings = Settings(),  # noqa: B008  (it is frozen)
        runtime_dir: Path | None = None,
    ) -> None:  # fmt: skip
        self.host = host
        self.port = port
        self.data_dir = data_dir
        self.durability = durability
        self.tls_port: int | None = None
        self.management_port: int | None = None
        self.management_tls_port: int | None = None
        self.metrics_port: int | None = None
        self.metrics_tls_port: int | None = None
        self._settings = settings
        plain = (Address(host, port),) if settings.listeners_tcp is None else settings.listeners_tcp
        self._addresses = Addresses(
            plain, settings.listeners_ssl, management, parts.management_tls_address(settings), metrics,
            parts.metrics_tls_address(settings),
        )  # fmt: skip
        self._bound: Addresses | None = None
        self._listening: list[tuple[str, str, int]] = []
        self._runtime_dir = runtime_dir
        self._process: Process | None = None
        self.on_stop: Callable[[], None] | None = None
        self.config_files: Sequence[Path] = ()
        self.is_alone = False
        self._token: trio.lowlevel.TrioToken | None = None

    @property
    def url(self) -> str:
        """An address for clients on this machine, such as `amqp://127.0.0.1:5672`; user guest, password guest."""
        return _url("amqps" if self.port == self.tls_port else "amqp", self.host, self.port)

    @property
    def tls_url(self) -> str | None:
        """The same for TLS, such as `amqps://127.0.0.1:5671`; None: there is no such listener, or not yet."""
        return None if self.tls_port is None else _url("amqps", self._settings.listeners_ssl[0].host, self.tls_port)

    @property
    def management_url(self) -> str | None:
        """That of the HTTP API, such as `http://127.0.0.1:15672`; None: there is none, or not yet."""
        if self._addresses.management is None or self.management_port is None:
            return None
        return _url("http", self._addresses.management.host, self.management_port)

    @property
    def management_tls_url(self) -> str | None:
        """The same over TLS, such as `https://127.0.0.1:15671`; None: there is no such listener, or not yet."""
        if self._addresses.management_tls is None or self.management_tls_port is None:
            return None
        return _url("https", self._addresses.management_tls.host, self.management_tls_port)

    @property
    def metrics_url(self) -> str | None:
        """That of the metrics, such as `http://127.0.0.1:15692/metrics`; None: there are none, or not yet."""
        if self._addresses.metrics is None or self.metrics_port is None:
            return None
        return _url("http", self._addresses.metrics.host, self.metrics_port) + self._settings.metrics_path

    @property
    def metrics_tls_url(self) -> str | None:
        """The same over TLS, such as `https://127.0.0.1:15691/metrics`; None: there is no such listener, or not yet."""
        if self._addresses.metrics_tls is None or self.metrics_tls_port is None:
            return None
        return _url("https", self._addresses.metrics_tls.host, self.metrics_tls_port) + self._settings.metrics_path

    @property
    def listening(self) -> list[tuple[str, str, int]]:
        """Where the broker listens: RabbitMQ's name of the protocol, address and port.

        The names are `amqp`, `amqp/ssl`, `http`, `https`, `http/prometheus`, `https/prometheus`.
        """
        return list(self._listening)

    def read_certificates_again(self) -> None:
        """For connections from now on; where the new ones cannot be used, the log says so and the old ones stay.

        RuntimeError if the broker is not running. Where an operator has stopped it, the next start reads them.
        """
        if self._process is None or self._process.application is not None:
            self._running().read_certificates_again()

    def call(self, function: Callable[[Node, Users], Answer]) -> Answer:
        """Do to the running broker what an operator does: `function(node, users)` is run between two of its turns.

            broker.call(lambda node, users: node.add_vhost("billing"))

        From any thread: in that of the broker it is run at once, in others it is waited for. What comes of it, such as
        deliveries, is sent before this returns.

        Answers what the function answers, and raises what it raises; RuntimeError if the broker is not running.
        """
        running = self._running()
        if trio.lowlevel.in_trio_run() and trio.lowlevel.current_trio_token() is self._token:
            return running.turn(function)
        return trio.from_thread.run_sync(running.turn, function, trio_token=self._token)

    def count_ends(self) -> int:
        """How many connections have ended, and queues and other things of a virtual host come, gone or changed."""
        running = None if self._process is None else self._process.application
        if running is None:
            return 0
        return running.server.ended_count + sum(vhost.generation for vhost in running.node.vhosts.values())

    def _running(self) -> Application:
        """Raises RuntimeError."""
        application = None if self._process is None else self._process.application
        if application is None:
            raise RuntimeError("the broker is not running")
        return application

    async def __aenter__(self) -> Self:
        self._serving = self._serve()
        await self._serving.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if isinstance(error, Exception):
            # The block's own error goes on as it is, not in a group: it is no failure of the broker.
            await self._serving.__aexit__(None, None, None)
            return False
        return await self._serving.__aexit__(kind, error, traceback)

    @contextlib.asynccontextmanager
    async def _serve(self) -> AsyncIterator[None]:
        application = await self._prepared(None)
        self._token = trio.lowlevel.current_trio_token()
        name = application.node.name
        try:
            async with trio.open_nursery() as answering:
                async with trio.open_nursery() as nursery:
                    self._process = process = Process(name, self.data_dir, self._prepared, nursery, self.on_stop)
                    await process.start(application)
                    control = Control(process.answer, answering)
                    with self._control_sockets(name) as listening:
                        async with trio.open_nursery() as accepting:
                            for one in listening:
                                accepting.start_soon(control.serve, one)
                            yield
                            accepting.cancel_scope.cancel()
                    nursery.cancel_scope.cancel()
                # Only now: the connection of `rabbitmqctl stop` ends when all is committed and closed.
                answering.cancel_scope.cancel()
        finally:
            self._process = None
            self._bound = None

    @contextlib.contextmanager
    def _control_sockets(self, node_name: str) -> Iterator[list[socket.socket]]:
        """In the data directory, with a link in the runtime directory; of a broker in memory, in the latter itself."""
        with contextlib.ExitStack() as stack:
            found_at = None
            if self._runtime_dir is not None:
                found_at = stack.enter_context(announced(self._runtime_dir, node_name))
            listening = None
            if self.data_dir is not None:
                path = self.data_dir / SOCKET_NAME
                listening = stack.enter_context(control_socket(path))
                if listening is not None and found_at is not None:
                    found_at.symlink_to(path.absolute())
            if listening is None and found_at is not None:
                listening = stack.enter_context(control_socket(found_at))
            yield [] if listening is None else [listening]

    async def _prepared(self, left: Left | None) -> Application:
        """One that listens; what `url` says is then known. The next one has the same ports."""
        where = Where(self.data_dir, self.durability, self._settings, left, self.config_files, self.is_alone)
        application = await Application.prepared(where, self._bound or self._addresses)
        self._bound = bound = application.bound
        self._listening = application.listening
        if bound.tls:
            self.tls_port = bound.tls[0].port
        first = (bound.plain or bound.tls)[0]
        self.host, self.port = first.host, first.port
        if bound.management is not None:
            self.management_port = bound.management.port
        if bound.management_tls is not None:
            self.management_tls_port = bound.management_tls.port
        if bound.metrics is not None:
            self.metrics_port = bound.metrics.port
        if bound.metrics_tls is not None:
            self.metrics_tls_port = bound.metrics_tls.port
        return application


def carried_out(request: object, data_dir: Path, settings: Settings) -> dict[str, Any]:
    """The outcome of an operator's request (see leveret.operations) on a data directory that no broker has.

    Raises StoreError if the data directory cannot be used; ConfigurationError.
    """
    operations = parts.load_operations()
    where = Where(data_dir, settings.durability, settings)
    return without_serving(where, lambda node, users: operations.outcome_offline(node, users, request))


def _url(scheme: str, host: str, port: int) -> str:
    host = _LOOPBACK.get(host, host)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@contextlib.contextmanager
def run_in_thread(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    management: Address | None = None,
    settings: Settings = Settings(),  # noqa: B008  (it is frozen)
) -> Iterator[Broker]:
    """A broker in a thread of its own, for as long as the block runs.

        with leveret.run_in_thread() as broker:
            connection = pika.BlockingConnection(pika.URLParameters(broker.url))

    Raises OSError where it cannot listen, before the block; and at its end what the broker failed with, if it did.
    """
    with in_thread(Broker(host, port, management=management, settings=settings)) as broker:
        yield broker


@contextlib.contextmanager
def in_thread(broker: Broker) -> Iterator[Broker]:
    """`run_in_thread` for a broker that has been made."""
    from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

    started: Future[Callable[[], None]] = Future()

    async def serve() -> None:
        with trio.CancelScope() as scope:
            async with broker:
                token = trio.lowlevel.current_trio_token()
                started.set_result(lambda: token.run_sync_soon(scope.cancel))
                await trio.sleep_forever()

    with ThreadPoolExecutor(1, thread_name_prefix="leveret") as executor:
        ended: Future[None] = executor.submit(trio.run, serve)
        begun: list[Future[Any]] = [started, ended]
        wait(begun, return_when=FIRST_COMPLETED)
        if not started.done():
            ended.result()
        stop = started.result()
        try:
            yield broker
        finally:
            with contextlib.suppress(trio.RunFinishedError):
                stop()
            ended.result()


def run_in_foreground(broker: Broker, on_ready: Callable[[], None]) -> None:
    """Run until SIGTERM or SIGINT; a second one kills. `on_ready` is called once clients can connect.

    SIGHUP: certificates are read again.

    Raises OSError where it cannot listen, StoreError if the data directory cannot be used or fails later, and what
    `on_ready` raises.
    """

    async def serve() -> None:
        stopped = trio.Event()
        broker.on_stop = stopped.set
        broker.is_alone = True
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async with broker:
                on_ready()
                collect_seldom()
                await serve_until_stopped(signals, stopped)

    async def serve_until_stopped(signals: AsyncIterator[int], stopped: trio.Event) -> None:
        async def wait_for_operator() -> None:
            await stopped.wait()
            log.info("stopping: an operator asked for it")
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect_what_ended, broker.count_ends)
            nursery.start_soon(wait_for_operator)
            async for number in signals:
                if number == signal.SIGHUP:
                    broker.read_certificates_again()
                    continue
                for ending in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(ending, signal.SIG_DFL)
                log.info("stopping: %s; a second signal ends it at once", signal.Signals(number).name)
                nursery.cancel_scope.cancel()
                return

    try:
        trio.run(serve)
    except BaseExceptionGroup as group:
        of_store, others = group.split(StoreError)
        if of_store is None or others is not None:
            raise
        raise _only(of_store) from None


def _only(group: BaseExceptionGroup[StoreError]) -> StoreError:
    """There is one store, but trio groups what its tasks raise."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, StoreError)
    return error
