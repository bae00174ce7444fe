"""The process of a broker as an operator sees it: what goes on while the application is stopped.

Its requests are lines of JSON on the control socket. Those of the process itself are here; all others are carried out
by leveret.operations on the application, if it runs.
"""

import contextlib
import json
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import trio

from leveret import parts
from leveret.application import Application
from leveret.config.report import ConfigurationError
from leveret.left_in_memory import Left, left_by
from leveret.shell.garbage import collect_all
from leveret.shell.turns import Steps, Turns
from leveret.storage.base import StoreError

Outcome = dict[str, Any]
Prepare = Callable[[Left | None], Awaitable[Application]]

CANNOT_BE_STOPPED = "this broker is part of another program, which alone can stop it"


class _StoppedMeanwhile(Exception):
    """The application was, before an operation on it was done."""


class Process:
    """node_name: of all its applications. application: None while there is none.

    prepare: makes one that listens, with what it begins with. nursery: that in which it runs.
    stop: ends the process; None: it is somebody else's.
    """

    def __init__(
        self, node_name: str, data_dir: Path | None, prepare: Prepare, nursery: trio.Nursery,
        stop: Callable[[], None] | None,
    ) -> None:  # fmt: skip
        self.node_name = node_name
        self.application: Application | None = None
        self._data_dir = data_dir
        self._prepare = prepare
        self._nursery = nursery
        self._stop = stop
        self._changing = trio.Lock()
        self._turns = Turns()
        self._left: Left | None = None
        self._requests: dict[str, Callable[[], Awaitable[Outcome]]] = {
            "hello": self._hello, "stop": self._end, "shutdown": self._end,
            "stop_app": self._stop_application, "start_app": self._start_application,
            "suspend_listeners": partial(self._change, Application.suspend_listeners),
            "resume_listeners": partial(self._change, Application.resume_listeners),
            "drain": partial(self._change, Application.drain), "revive": partial(self._change, Application.revive),
            "reset": self._reset, "force_reset": self._reset,
        }  # fmt: skip

    async def start(self, application: Application) -> None:
        """Have it run."""
        await self._nursery.start(self._run, application)

    async def _run(self, application: Application, *, task_status: trio.TaskStatus[None]) -> None:
        self.application = application
        try:
            await application.run(task_status=task_status)
        finally:
            self.application = None

    async def answer(self, request: object) -> bytes:
        """The JSON of the outcome of `{"operation": name, "arguments": {...}}`, see leveret.operations."""
        match request:
            case {"operation": str(name), "arguments": dict()} if name in self._requests:
                outcome = await self._requests[name]()
            case _ if self.application is None:
                outcome = _error("not_running", "the application is stopped")
            case _:
                try:
                    return await self._operate(self.application, request)
                except _StoppedMeanwhile:
                    outcome = _error("not_running", "the application was stopped meanwhile")
        return json.dumps(outcome).encode()

    async def _operate(self, application: Application, request: object) -> bytes:
        """Raises _StoppedMeanwhile."""
        operations = parts.load_operations()
        steps = self._while_it_runs(application, operations.steps(application, request))
        answer = await self._turns.take(steps, application.server.flush)
        if operations.changes_something(request) and application.node.keeper is not None:
            await application.until_safe(application.node.keeper.store)
        return answer

    def _while_it_runs(self, application: Application, steps: Steps[bytes]) -> Steps[bytes]:
        """Raises _StoppedMeanwhile."""
        with contextlib.closing(steps):
            while self.application is application:
                try:
                    next(steps)
                except StopIteration as done:
                    answer: bytes = done.value
                    return answer
                yield
        raise _StoppedMeanwhile

    async def _hello(self) -> Outcome:
        """Who answers, and whether there is an application."""
        is_running = self.application is not None
        return {"result": {"node": self.node_name, "pid": os.getpid(), "is_running": is_running}}

    async def _end(self) -> Outcome:
        """Without an answer: the connection ends when all else has."""
        if self._stop is None:
            return _error("refused", CANNOT_BE_STOPPED)
        self._stop()
        await trio.sleep_forever()

    async def _stop_application(self) -> Outcome:
        """One that is stopped is left so."""
        async with self._changing:
            if (application := self.application) is not None:
                await application.stop()
                if self._data_dir is None:
                    self._left = left_by(application.node, application.users)
                del application
                collect_all()
        return {"result": None}

    async def _start_application(self) -> Outcome:
        async with self._changing:
            if self._nursery.cancel_scope.cancel_called:
                return _error("failed", "the process is ending")
            if self.application is None:
                try:
                    application = await self._prepare(self._left)
                except (OSError, ConfigurationError, StoreError) as error:
                    return _error("failed", _told(error))
                await self.start(application)
                self._left = None
        return {"result": None}

    async def _change(self, change: Callable[[Application], Awaitable[None]]) -> Outcome:
        async with self._changing:
            if self.application is None:
                return _error("not_running", "the application is stopped")
            try:
                await change(self.application)
            except OSError as error:
                return _error("failed", _told(error))
        return {"result": None}

    async def _reset(self) -> Outcome:
        """RabbitMQ: the node as it was before its first start."""
        async with self._changing:
            if self.application is not None:
                return _error("running", "the application runs")
            self._left = None
            if self._data_dir is not None:
                from leveret.storage.directory import erase

                try:
                    erase(self._data_dir)
                except (OSError, StoreError) as error:
                    return _error("failed", _told(error))
        return {"result": None}


def _told(error: OSError | ConfigurationError | StoreError) -> str:
    if isinstance(error, ConfigurationError):
        return "\n".join(error.problems)
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _error(kind: str, text: str) -> Outcome:
    return {"error": text, "kind": kind}
