"""What a hostile peer leaves behind: objects of the broker, and bytes.

Counted after the garbage collector has run. What is done once before, so that caches are as full as it makes them:
they are bounded, each with a name of its own (SECURITY.md lists them).
"""

import contextlib
import gc
import logging
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator

from leveret.core.timers import Timer

BLOCKS_MAX = 100  # of Python's allocator, that Python itself may differ by


def live_objects() -> Counter[type]:
    """Objects of the broker's own classes, which hold all else that it has.

    Without cancelled timers: they hold nothing, and the broker clears them away once they are more than the others.
    """
    gc.collect()
    objects = [it for it in gc.get_objects() if str(type(it).__module__).startswith(("leveret.", "leveret_protocol."))]
    return Counter(type(it) for it in objects if not isinstance(it, Timer) or it.is_waiting)


@contextlib.contextmanager
def nothing_logged() -> Iterator[None]:
    """pytest keeps what is logged, and the connections that it tells of."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@contextlib.contextmanager
def nothing_stays() -> Iterator[None]:
    """The block leaves as many objects, and as many blocks of memory, as it found."""
    with nothing_logged():
        objects, blocks = live_objects(), sys.getallocatedblocks()
        yield
        left, more_blocks = live_objects() - objects, sys.getallocatedblocks() - blocks
    assert not left, left
    assert more_blocks < BLOCKS_MAX


def assert_nothing_stays(scenario: Callable[[], object]) -> None:
    """The scenario leaves nothing when it is run again."""
    with nothing_logged():
        scenario()
    with nothing_stays():
        scenario()


def assert_little_is_used(scenario: Callable[[], object], bytes_max: int) -> None:
    """The scenario never has more bytes in use than this beyond those before it, and leaves nothing."""
    assert_nothing_stays(scenario)
    with nothing_logged():
        tracemalloc.start()
        try:
            scenario()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < bytes_max
