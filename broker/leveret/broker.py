"""A whole broker, to be had in three ways: within a trio program, in a thread of its own, or as the process itself.

Puts the rooms together: the core's node, the users, and the shell that serves them.
"""

import contextlib
import functools
import logging
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import trio

from leveret import parts
from leveret.auth import operations
from leveret.auth.users import Users
from leveret.config.settings import Settings
from leveret.config.values import Address
from leveret.core.keeping import Keeper, tell_safe
from leveret.core.kept_definitions import line_names
from leveret.core.node import Node
from leveret.core.parameters import CLUSTER_NAME
from leveret.handlers.connection import Connection
from leveret.handlers.content import make_message
from leveret.handlers.stored import loaded
from leveret.shell.commits import Commits, commit_rest
from leveret.shell.control import Control, control_socket
from leveret.shell.garbage import collect_seldom, collect_what_ended
from leveret.shell.listener import Listener, SocketListener, listen_on
from leveret.shell.memory_alarm import (
    give_memory_back,
    used_memory_bytes,
    watch_memory,
)
from leveret.shell.server import Server
from leveret.storage.base import StoreError

if TYPE_CHECKING:
    from leveret.auth.access_control import AccessControl
    from leveret.shell.tls import Certificates
    from leveret.storage.opening import StoreReport

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
AnyListener = TypeVar("AnyListener", bound=Listener)

_MIB = 1024 * 1024

# Where a listener takes connections on every address, a client on this machine finds it here.
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


@dataclass(frozen=True)
class _Running:
    """What there is of a broker that has been entered. token: of the trio program it runs in."""

    node: Node
    users: Users
    server: Server
    certificates: "Certificates | None"
    token: trio.lowlevel.TrioToken

    def turn(self, function: Callable[[Node, Users], Answer]) -> Answer:
        """A turn of the function alone."""
        try:
            return function(self.node, self.users)
        finally:
            self.server.flush()


class Broker:
    """An AMQP broker. Without a data directory it keeps everything in memory, and begins empty each time it is entered.

        async with leveret.Broker() as broker:
            await trio.to_thread.run_sync(use_it_with_pika, broker.url)

    host: a name or an address; a name is listened on at all its addresses.
    port: 0 takes a free one, which is here once the broker is entered.
    tls_port: that of the first TLS listener, if there is one; `port` too, where there are no others.
    management: where the HTTP API listens; None: there is none. Then its address is `management_url`.
    settings: all else; its `listeners_tcp`, if it has one, is listened on instead of host and port.
    data_dir: where durable queues and their persistent messages are kept; made if need be, for one broker at a time.
    durability: what a confirmed message has survived: "fsync", it is on the disk; "os", the system has it.

    Entering raises OSError where it cannot listen, which may be for its certificates; ConfigurationError for settings
    that only the parts themselves can check; StoreError if the data directory cannot be used. Leaving closes all
    connections with CONNECTION_FORCED (320), and takes no more than a second. A failure of the broker itself cancels
    the block, and is raised out of it.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, *, data_dir: Path | None = None, durability: str = "fsync",
        management: Address | None = None, settings: Settings = Settings(),  # noqa: B008  (it is frozen)
    ) -> None:  # fmt: skip
        self.host = host
        self.port = port
        self.data_dir = data_dir
        self.durability = durability
        self.tls_port: int | None = None
        self.management_port: int | None = None
        self._management = management
        self._listening: list[tuple[str, str, int]] = []
        self._settings = settings
        self._addresses = (Address(host, port),) if settings.listeners_tcp is None else settings.listeners_tcp
        self._running: _Running | None = None

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
        if self._management is None or self.management_port is None:
            return None
        return _url("http", self._management.host, self.management_port)

    @property
    def listening(self) -> list[tuple[str, str, int]]:
        """Where the broker listens: RabbitMQ's name of the protocol (`amqp`, `amqp/ssl`, `http`), address and port."""
        return list(self._listening)

    def read_certificates_again(self) -> None:
        """For connections from now on; where the new ones cannot be used, the log says so and the old ones stay.

        RuntimeError if the broker is not running.
        """
        if self._running is None:
            raise RuntimeError("the broker is not running")
        if self._running.certificates is not None:
            self._running.certificates.read_again()

    def call(self, function: Callable[[Node, Users], Answer]) -> Answer:
        """Do to the running broker what an operator does: `function(node, users)` is run between two of its turns.

            broker.call(lambda node, users: node.add_vhost("billing"))

        From any thread: in that of the broker it is run at once, in others it is waited for. What comes of it, such as
        deliveries, is sent before this returns.

        Answers what the function answers, and raises what it raises; RuntimeError if the broker is not running.
        """
        running = self._running
        if running is None:
            raise RuntimeError("the broker is not running")
        if trio.lowlevel.in_trio_run() and trio.lowlevel.current_trio_token() is running.token:
            return running.turn(function)
        return trio.from_thread.run_sync(running.turn, function, trio_token=running.token)

    def count_ends(self) -> int:
        """How many connections have ended, and queues and other things of a virtual host come, gone or changed."""
        running = self._running
        if running is None:
            return 0
        return running.server.ended_count + sum(vhost.generation for vhost in running.node.vhosts.values())

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
        certificates = self._read_certificates()
        listeners = await self._listen(certificates)
        with (
            _closed(listeners), _closed(await self._listen_for_management()) as of_management,
            self._stored() as (keeper, report),
        ):  # fmt: skip
            node = self._make_node(keeper)
            self._tell_losses(report, node)
            users = Users(node)
            parts.make_first(node, users, self._settings)
            questions = parts.http_questions(self._settings)
            control = parts.access_control(node, users, self._settings, questions)
            make_connection = functools.partial(Connection, node, control, tuning=parts.tuning(self._settings))
            server = Server(
                make_connection, node, self._make_commits(node),
                handshake_seconds=self._settings.handshake_timeout / 1000,
                tls_handshake_seconds=self._settings.ssl_handshake_timeout / 1000,
            )  # fmt: skip
            try:
                async with questions or contextlib.nullcontext(), trio.open_nursery() as nursery:
                    if questions is not None:
                        questions.server = server
                    await nursery.start(server.serve, listeners)
                    self._watch_memory(nursery, node, server)
                    token = trio.lowlevel.current_trio_token()
                    self._running = running = _Running(node, users, server, certificates, token)
                    if of_management:
                        nursery.start_soon(self._manage, running, control, of_management)
                    async with self._controlled(running):
                        yield
                    nursery.cancel_scope.cancel()
            finally:
                self._running = None
            if keeper is not None:
                node.note_redelivered()
                commit_rest(keeper.store)

    async def _manage(self, running: _Running, control: "AccessControl", listeners: list[SocketListener]) -> None:
        """The HTTP API. Its modules take a while, so AMQP clients are served meanwhile, and others wait to be."""
        serving = await trio.to_thread.run_sync(parts.load_management)
        managed = parts.managed(
            running.node, running.users, control, self._listening, running.server.flush, self.data_dir, self._settings
        )
        await serving.serve(managed, [listener.socket for listener in listeners])

    @contextlib.asynccontextmanager
    async def _controlled(self, running: _Running) -> AsyncIterator[None]:
        """While there is a control socket, in the data directory."""
        keeper = running.node.keeper
        if keeper is None or self.data_dir is None:
            yield
            return

        def outcome(request: object) -> dict[str, Any]:
            return running.turn(lambda node, users: operations.outcome(node, users, request))

        with control_socket(self.data_dir) as listening:
            if listening is None:
                yield
                return
            control = Control(outcome, operations.changes_something, keeper, running.server.flush)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(control.serve, listening)
                yield
                nursery.cancel_scope.cancel()

    def without_serving(self, function: Callable[[Node, Users], Answer]) -> Answer:
        """What `call` does, on the data directory alone: nobody is served.

        Raises StoreError if the data directory cannot be used, as when another broker has it; ConfigurationError; and
        what the function raises.
        """
        with self._stored() as (keeper, report):
            node = self._make_node(keeper)
            self._tell_losses(report, node)
            users = Users(node)
            parts.make_first(node, users, self._settings)
            try:
                return function(node, users)
            finally:
                if keeper is not None:
                    node.note_redelivered()
                    commit_rest(keeper.store)

    def _read_certificates(self) -> "Certificates | None":
        settings = self._settings
        if not settings.listeners_ssl:
            return None
        from leveret.shell.tls import Certificates  # only those who use TLS wait for it

        return Certificates(parts.tls_options(settings))

    async def _listen(self, certificates: "Certificates | None") -> list[Listener]:
        """All listeners; what `url` says is then known."""
        plain = await listen_on([(address.host, address.port) for address in self._addresses])
        self._listening = [("amqp", listener.host, listener.port) for listener in plain]
        if plain:
            self.host, self.port = self._addresses[0].host, plain[0].port
        if certificates is None:
            if not plain:
                raise OSError("there is nothing to listen on: neither listeners.tcp nor listeners.ssl has an address")
            return [*plain]
        from leveret.shell.tls import TLSListener

        try:
            below = await listen_on([(address.host, address.port) for address in self._settings.listeners_ssl])
        except OSError:
            for listener in plain:
                listener.close()
            raise
        self._listening += [("amqp/ssl", listener.host, listener.port) for listener in below]
        self.tls_port = below[0].port
        if not plain:
            self.host, self.port = self._settings.listeners_ssl[0].host, below[0].port
        return [*plain, *(TLSListener(listener, certificates) for listener in below)]

    async def _listen_for_management(self) -> list[SocketListener]:
        """As RabbitMQ: where its port is taken, nothing is served at all."""
        if self._management is None:
            return []
        listeners = await listen_on([(self._management.host, self._management.port)])
        self.management_port = listeners[0].port
        self._listening += [("http", listener.host, listener.port) for listener in listeners]
        return listeners

    def _make_node(self, keeper: Keeper | None) -> Node:
        node = Node(
            self._settings.node_name, now=time.time, make_message=make_message, keeper=keeper,
            default_queue_type=self._settings.default_queue_type, default_vhost=self._settings.default_vhost,
        )  # fmt: skip
        node.consumer_timeout_ms = self._settings.consumer_timeout
        if self._settings.cluster_name is not None:
            node.parameters.set(CLUSTER_NAME, self._settings.cluster_name)
        return node

    def _make_commits(self, node: Node) -> Callable[[Callable[[], None]], Commits] | None:
        if node.keeper is None or self.data_dir is None:
            return None
        disk_free_bytes = functools.partial(_free_bytes, self.data_dir)
        return functools.partial(
            Commits, node.keeper.store, disk_free_bytes, node.alarms, tell_safe,
            disk_free_bytes_min=parts.disk_free_bytes_min(self._settings),
        )  # fmt: skip

    def _watch_memory(self, nursery: trio.Nursery, node: Node, server: Server) -> None:
        try:
            used_memory_bytes()
        except OSError:
            log.info("the memory watermark is not kept: this system does not tell how much there is in use")
            return
        limit_bytes = parts.memory_bytes_max(self._settings)
        log.info("Memory high watermark set to %d MiB (%d bytes)", limit_bytes // _MIB, limit_bytes)
        nursery.start_soon(watch_memory, node.alarms, limit_bytes, used_memory_bytes, give_memory_back, server.flush)

    @contextlib.contextmanager
    def _stored(self) -> "Iterator[tuple[Keeper | None, StoreReport | None]]":
        if self.data_dir is None:
            yield None, None
            return
        from leveret.storage.opening import open_store  # a broker in memory does not wait for it

        store, report = open_store(self.data_dir, self.durability)
        with contextlib.closing(store):
            yield Keeper(store, loaded), report

    def _tell_losses(self, report: "StoreReport | None", node: Node) -> None:
        """By the names of queues, which are known only now."""
        if report is None:
            return
        for loss in report.losses(line_names(node)) if report.lost else ():
            log.error("%s was damaged; lost: %s", self.data_dir, loss)
        if report.damaged_path is not None:
            log.error("the damaged file is kept as %s", report.damaged_path)


def carried_out(request: object, data_dir: Path, settings: Settings) -> dict[str, Any]:
    """The outcome of an operator's request (see leveret.auth.operations) on a data directory that no broker has.

    Raises StoreError if the data directory cannot be used; ConfigurationError.
    """
    broker = Broker(data_dir=data_dir, durability=settings.durability, settings=settings)
    return broker.without_serving(lambda node, users: operations.outcome(node, users, request))


@contextlib.contextmanager
def _closed(listeners: list[AnyListener]) -> Iterator[list[AnyListener]]:
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.close()


def _url(scheme: str, host: str, port: int) -> str:
    host = _LOOPBACK.get(host, host)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(path).free


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
    from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

    broker = Broker(host, port, management=management, settings=settings)
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
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async with broker:
                on_ready()
                collect_seldom()
                await serve_until_stopped(signals)

    async def serve_until_stopped(signals: AsyncIterator[int]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect_what_ended, broker.count_ends)
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
