"""What of a broker is started and stopped as a whole: RabbitMQ's application `rabbit`, and the plugins on top of it.

The process around it goes on: `rabbitmqctl stop_app` stops an application, and `start_app` starts a new one.
"""

import contextlib
import functools
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import trio

from leveret import parts
from leveret.auth.users import Users
from leveret.config.settings import Settings
from leveret.config.values import Address
from leveret.core.keeping import Keeper, tell_safe
from leveret.core.kept_definitions import line_names
from leveret.core.node import Node
from leveret.core.parameters import CLUSTER_ID, CLUSTER_NAME
from leveret.handlers.connection import Connection
from leveret.handlers.content import make_message
from leveret.handlers.stored import loaded
from leveret.left_in_memory import Left, begin_with
from leveret.shell.commits import Commits, SafeEvent, commit_rest
from leveret.shell.listener import Listener, SocketListener, listen_on
from leveret.shell.memory_alarm import (
    give_memory_back,
    used_memory_bytes,
    watch_memory,
)
from leveret.shell.server import Server
from leveret.storage.base import Store

if TYPE_CHECKING:
    from leveret.shell.tls import Certificates, TLSListener, TLSOptions
    from leveret.storage.opening import StoreReport

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Addresses:
    """Where to listen. None: for no HTTP API, no metrics, or none of them over TLS."""

    plain: Sequence[Address]
    tls: Sequence[Address]
    management: Address | None
    management_tls: Address | None = None
    metrics: Address | None = None
    metrics_tls: Address | None = None


@dataclass(frozen=True)
class Where:
    """data_dir: None to keep everything in memory. left: what to begin with, instead of what the settings say.

    config_files: those the settings are from. is_alone: the process is nothing but this broker.
    """

    data_dir: Path | None
    durability: str
    settings: Settings
    left: Left | None = None
    config_files: Sequence[Path] = ()
    is_alone: bool = False


class Application:
    """Made by `prepared`; `run` serves and, at its end, closes all that there is.

    listening: RabbitMQ's name of the protocol, `amqp`, `amqp/ssl`, `http`, `https`, `http/prometheus`,
    `https/prometheus`, with host and port of each listener.
    bound: the addresses, with the ports that were taken.
    """

    def __init__(self, where: Where, addresses: Addresses) -> None:
        self.data_dir = where.data_dir
        self.settings = where.settings
        self.config_files = where.config_files
        self._where = where
        self.started_seconds = time.time()
        self.listening: list[tuple[str, str, int]] = []
        self.bound = addresses
        self.certificates: Certificates | None = None
        self._at_end = contextlib.ExitStack()
        self._stop = trio.Event()
        self._has_ended = trio.Event()
        self._waiting: set[SafeEvent] = set()
        self._of_management: list[Listener] = []
        self._of_metrics: list[Listener] = []
        self._listeners: list[Listener] = []
        self.node: Node
        self.users: Users
        self.server: Server

    @classmethod
    async def prepared(cls, where: Where, addresses: Addresses) -> "Application":
        """It listens and has its store, and serves nobody yet. `run` is to be called, or `close`.

        Raises OSError where it cannot listen; ConfigurationError; StoreError if the data directory cannot be used.
        """
        application = cls(where, addresses)
        with contextlib.ExitStack() as on_error:
            on_error.callback(application.close)
            await application._prepare(addresses)
            on_error.pop_all()
        return application

    async def _prepare(self, addresses: Addresses) -> None:
        settings = self.settings
        self.certificates = _read_certificates(parts.tls_options(settings)) if settings.listeners_ssl else None
        self._management_certificates = self._metrics_certificates = None
        if addresses.management_tls is not None:
            self._management_certificates = _read_certificates(parts.management_tls_options(settings))
        if addresses.metrics_tls is not None:
            self._metrics_certificates = _read_certificates(parts.metrics_tls_options(settings))
        self._listeners = await self._listen(addresses)
        keeper, report = self._at_end.enter_context(_stored(self._where))
        self.node, self.users = _node_and_users(self._where, keeper, report)
        self.watermarks = parts.watermarks(self.node, self.settings, self.data_dir)
        self.questions = parts.http_questions(self.settings)
        self.control = parts.access_control(self.node, self.users, self.settings, self.questions)
        make_connection = functools.partial(Connection, self.node, self.control, tuning=parts.tuning(self.settings))
        self.server = Server(
            make_connection, self.node, self._make_commits(),
            handshake_seconds=self.settings.handshake_timeout / 1000,
            tls_handshake_seconds=self.settings.ssl_handshake_timeout / 1000,
            is_alone=self._where.is_alone,
        )  # fmt: skip

    def close(self) -> None:
        self._at_end.close()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled or stopped. Then the connections are told so, and what was noted is committed."""
        questions = self.questions
        try:
            with self._at_end, self._left_clean():
                async with questions or contextlib.nullcontext(), trio.open_nursery() as nursery:
                    if questions is not None:
                        questions.server = self.server
                    await nursery.start(self.server.serve, self._listeners)
                    self._watch_memory(nursery)
                    if self._of_management:
                        nursery.start_soon(self._manage)
                    if self._of_metrics:
                        nursery.start_soon(self._measure)
                    task_status.started()
                    await self._stop.wait()
                    nursery.cancel_scope.cancel()
        finally:
            self._has_ended.set()

    async def stop(self) -> None:
        """Returns when nothing of it is left."""
        self._stop.set()
        await self._has_ended.wait()

    def turn(self, function: Callable[[Node, Users], Answer]) -> Answer:
        """A turn of the function alone."""
        try:
            return function(self.node, self.users)
        finally:
            self.server.flush()

    async def until_safe(self, store: Store) -> None:
        """Returns when all that was noted in its store is safe, also where it is the end that commits it."""
        waiter = SafeEvent()
        self._waiting.add(waiter)
        store.when_safe(waiter)
        self.server.flush()
        try:
            await waiter.wait()
        finally:
            self._waiting.remove(waiter)

    @contextlib.contextmanager
    def _left_clean(self) -> Iterator[None]:
        """Afterwards, unless something has failed. To be cancelled is no failure."""
        try:
            yield
        except (trio.Cancelled, BaseExceptionGroup) as error:
            if not isinstance(error, BaseExceptionGroup) or error.split(trio.Cancelled)[1] is None:
                self._leave_clean()
            raise
        self._leave_clean()

    def _leave_clean(self) -> None:
        _leave_clean(self.node)
        for waiter in self._waiting:
            waiter.safe()

    async def _manage(self) -> None:
        """The HTTP API. Its modules take a while, so AMQP clients are served meanwhile, and others wait to be."""
        serving = await trio.to_thread.run_sync(parts.load_management)
        managed = parts.managed(
            self.node, self.users, self.control, self.listening, self.server.flush, self.data_dir, self.settings,
            self.watermarks, self.config_files,
        )  # fmt: skip
        await serving.serve(managed, self._of_management)

    def read_certificates_again(self) -> None:
        for certificates in (self.certificates, self._management_certificates, self._metrics_certificates):
            if certificates is not None:
                certificates.read_again()

    async def _measure(self) -> None:
        """The metrics, in the same way as the HTTP API."""
        serving = await trio.to_thread.run_sync(parts.load_metrics)
        await serving.serve(
            parts.measured(self.node, self.watermarks, self.control, self.started_seconds), self._of_metrics,
            self.settings.metrics_path, per_object=self.settings.metrics_per_object,
            gate=parts.metrics_gate(self.settings, self.node, self.control, self.server.flush),
        )  # fmt: skip

    async def suspend_listeners(self) -> None:
        """Those of AMQP: no more connections are accepted, and those that there are stay."""
        await self.server.suspend()

    async def resume_listeners(self) -> None:
        """Listen on the same ports again. Raises OSError."""
        if not self.server.is_suspended:
            return
        count = len(self.listening)
        try:
            with contextlib.ExitStack() as on_error:
                plain = await self._listen_on("amqp", self.bound.plain, on_error)
                tls = await self._listen_on("amqp/ssl", self.bound.tls, on_error)
                on_error.pop_all()
        finally:
            del self.listening[count:]
        self.server.resume(self._for_clients(plain, tls))

    async def drain(self) -> None:
        """RabbitMQ's maintenance mode: no connections, until `revive`."""
        self.node.is_under_maintenance = True
        await self.suspend_listeners()
        self.server.force_close_all("Node was put into maintenance mode")

    async def revive(self) -> None:
        """Raises OSError."""
        await self.resume_listeners()
        self.node.is_under_maintenance = False

    def _for_clients(self, plain: list[list[SocketListener]], tls: list[list[SocketListener]]) -> list[Listener]:
        listeners: list[Listener] = [listener for group in plain for listener in group]
        if self.certificates is not None:
            from leveret.shell.tls import TLSListener

            listeners += [TLSListener(listener, self.certificates) for group in tls for listener in group]
        return listeners

    async def _listen(self, addresses: Addresses) -> list[Listener]:
        plain = await self._listen_on("amqp", addresses.plain, self._at_end)
        tls = await self._listen_on("amqp/ssl", addresses.tls if self.certificates is not None else (), self._at_end)
        if not (plain or tls):
            raise OSError("there is nothing to listen on: neither listeners.tcp nor listeners.ssl has an address")
        management = await self._listen_for_http("http", addresses.management, None)
        management_tls = await self._listen_for_http("https", addresses.management_tls, self._management_certificates)
        self._of_management = [*management, *management_tls]
        metrics = await self._listen_for_metrics("http/prometheus", addresses.metrics, None)
        of_metrics = self._metrics_certificates
        metrics_tls = await self._listen_for_metrics("https/prometheus", addresses.metrics_tls, of_metrics)
        self._of_metrics = [*metrics, *metrics_tls]
        self.bound = Addresses(
            _bound(addresses.plain, plain), _bound(addresses.tls, tls),
            _bound_one(addresses.management, management), _bound_one(addresses.management_tls, management_tls),
            _bound_one(addresses.metrics, metrics), _bound_one(addresses.metrics_tls, metrics_tls),
        )  # fmt: skip
        return self._for_clients(plain, tls)

    async def _listen_for_metrics(
        self, protocol: str, address: Address | None, certificates: "Certificates | None"
    ) -> "Sequence[SocketListener | TLSListener]":
        """A port that is taken keeps RabbitMQ from starting. Here it is usual: each broker on a machine is given a port
        for AMQP, and hardly one for these."""
        try:
            return await self._listen_for_http(protocol, address, certificates)
        except OSError as error:
            log.warning("there are no metrics: %s", error.strerror)
            return []

    async def _listen_for_http(
        self, protocol: str, address: Address | None, certificates: "Certificates | None"
    ) -> "Sequence[SocketListener | TLSListener]":
        if address is None:
            return []
        [group] = await self._listen_on(protocol, [address], self._at_end)
        if certificates is None:
            return group
        from leveret.shell.tls import TLSListener

        return [TLSListener(listener, certificates) for listener in group]

    async def _listen_on(
        self, protocol: str, addresses: Sequence[Address], at_end: contextlib.ExitStack
    ) -> list[list[SocketListener]]:
        """For each address, the listeners of its host, all on one port. at_end: closes them."""
        groups = []
        for address in addresses:
            group = await listen_on([(address.host, address.port)])
            for listener in group:
                at_end.callback(listener.close)
            self.listening += [(protocol, listener.host, listener.port) for listener in group]
            groups.append(group)
        return groups

    def _make_commits(self) -> Callable[[Callable[[], None]], Commits] | None:
        node = self.node
        if node.keeper is None or self.data_dir is None:
            return None
        return functools.partial(
            Commits, node.keeper.store, self.watermarks.disk_free_bytes, node.alarms, tell_safe,
            disk_free_bytes_min=lambda: self.watermarks.disk_free_bytes_min,
        )  # fmt: skip

    def _watch_memory(self, nursery: trio.Nursery) -> None:
        try:
            used_memory_bytes()
        except OSError:
            log.info("the memory watermark is not kept: this system does not tell how much there is in use")
            return
        limit_bytes = self.watermarks.memory_bytes_max
        log.info("Memory high watermark set to %d MiB (%d bytes)", limit_bytes // _MIB, limit_bytes)
        nursery.start_soon(
            watch_memory,
            self.node.alarms,
            lambda: self.watermarks.memory_bytes_max,
            used_memory_bytes,
            give_memory_back,
            self.server.flush,
        )


def without_serving(where: Where, function: Callable[[Node, Users], Answer]) -> Answer:
    """What `Application.turn` does, on the data directory alone: nobody is served.

    Raises StoreError if the data directory cannot be used, as when another broker has it; ConfigurationError; and
    what the function raises.
    """
    with _stored(where) as (keeper, report):
        node, users = _node_and_users(where, keeper, report)
        try:
            return function(node, users)
        finally:
            _leave_clean(node)


def _leave_clean(node: Node) -> None:
    node.finish()
    if node.keeper is not None:
        node.note_redelivered()
        commit_rest(node.keeper.store)


def _node_and_users(where: Where, keeper: Keeper | None, report: "StoreReport | None") -> tuple[Node, Users]:
    """With what is in the store, or what a new broker has."""
    settings = where.settings
    node = Node(
        settings.node_name, now=time.time, make_message=make_message, keeper=keeper,
        default_queue_type=settings.default_queue_type, default_vhost=settings.default_vhost,
    )  # fmt: skip
    node.consumer_timeout_ms = settings.consumer_timeout
    if settings.cluster_name is not None:
        node.parameters.set(CLUSTER_NAME, settings.cluster_name)
    if CLUSTER_ID not in node.parameters:  # RabbitMQ: at each start
        node.parameters.set(CLUSTER_ID, f"rabbitmq-cluster-id-{secrets.token_urlsafe(16)}")
    _tell_losses(where.data_dir, report, node)
    users = Users(node)
    if where.left is None:
        parts.make_first(node, users, settings)
    else:
        begin_with(node, users, where.left)
    return node, users


def _tell_losses(data_dir: Path | None, report: "StoreReport | None", node: Node) -> None:
    """By the names of queues, which are known only now."""
    if report is None:
        return
    for loss in report.losses(line_names(node)) if report.lost else ():
        log.error("%s was damaged; lost: %s", data_dir, loss)
    if report.damaged_path is not None:
        log.error("the damaged file is kept as %s", report.damaged_path)


@contextlib.contextmanager
def _stored(where: Where) -> "Iterator[tuple[Keeper | None, StoreReport | None]]":
    if where.data_dir is None:
        yield None, None
        return
    from leveret.storage.opening import open_store  # a broker in memory does not wait for it

    store, report = open_store(where.data_dir, where.durability)
    with contextlib.closing(store):
        yield Keeper(store, loaded), report


def _read_certificates(options: "TLSOptions") -> "Certificates":
    from leveret.shell.tls import Certificates  # only those who use TLS wait for it

    return Certificates(options)


def _bound(addresses: Sequence[Address], groups: Sequence[Sequence[SocketListener]]) -> Sequence[Address]:
    """With the ports that were taken."""
    return [Address(address.host, group[0].port) for address, group in zip(addresses, groups, strict=False)]


def _bound_one(address: Address | None, listeners: "Sequence[SocketListener | TLSListener]") -> Address | None:
    """listeners: of this address; none where it is not listened on."""
    return None if address is None or not listeners else Address(address.host, listeners[0].port)
