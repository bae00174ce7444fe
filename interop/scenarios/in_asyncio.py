"""Runs a coroutine function as a test on asyncio, for clients built on it; the coroutine tests elsewhere are Trio's."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

from interop.scenarios.blocking import DEADLINE_SECONDS

P = ParamSpec("P")


def in_asyncio(scenario: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """The scenario as a plain test with the same fixtures, on a loop of its own, with a deadline."""

    @functools.wraps(scenario)
    def test(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(asyncio.wait_for(scenario(*args, **kwargs), 2 * DEADLINE_SECONDS))

    return test
