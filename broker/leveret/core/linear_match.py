"""Whether a regular expression is found in a name, at a cost that is bounded: without backtracking.

Nobody asks where it is found, nor what its groups are, only whether. So the expression becomes a graph, and what is
followed through it are sets of positions in the name, each an integer with one bit for each position: from a state,
all that are there pass a byte's edge together. No position comes to a state twice, so a name costs at most its length
times the edges of the graph. Looking behind asks another graph where it ends, beginning anywhere; looking ahead one
that runs backwards, from anywhere.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

STATES_MAX: Final = 10_000  # of a graph: of `{n}` each time is another state. PCRE has 64 KiB for all
# For a name: some 2 ms. One of 255 bytes needs 2,000 in most patterns. PCRE gives up after 10,000,000 of its own.
STEPS_MAX: Final = 5_000

Place = Literal["start", "end", "very end", "boundary", "no boundary"]


class TooLarge(Exception):
    """There would be more than STATES_MAX states."""


class OneByte(NamedTuple):
    """table: for each of the 256 bytes `1` or `0`: is it one of these?"""

    table: bytes


class At(NamedTuple):
    place: Place


class InTurn(NamedTuple):
    parts: Sequence[Node]


class OneOf(NamedTuple):
    options: Sequence[Node]


class Repeated(NamedTuple):
    """most: None: any number."""

    body: Node
    least: int
    most: int | None


class Look(NamedTuple):
    body: Node
    is_behind: bool
    is_negative: bool


Node = OneByte | At | InTurn | OneOf | Repeated | Look


def linear_match(node: Node, word: bytes) -> Callable[[bytes], bool]:
    """Answers a function that tells whether it is found in a name. A name that needs more than STEPS_MAX is not found,
    as with PCRE. word: a table as of OneByte, for boundaries.

    Raises: TooLarge
    """
    graph = _Graph(node, itertools.count(), is_backward=False)

    def is_found(name: bytes) -> bool:
        name_read = _Name(name, word)
        try:
            return graph.ends(name_read.everywhere, name_read) != 0
        except _GivenUp:
            return False

    return is_found


class _GivenUp(Exception):
    """A name needs more than STEPS_MAX."""


class _Name:
    """A name that is looked at: the bits of all positions, and for each test those that pass it."""

    def __init__(self, name: bytes, word: bytes) -> None:
        self._name = name
        self._word = word
        self.everywhere = (1 << (len(name) + 1)) - 1
        self.steps = 0
        self._passing: dict[object, int] = {}

    def passing(self, test: bytes | Place | _Looking) -> int:
        known = self._passing.get(test)
        if known is None:
            known = self._passing[test] = self._pass(test)
        return known

    def _pass(self, test: bytes | Place | _Looking) -> int:
        if isinstance(test, bytes):  # the first byte is the last bit
            return int(b"0" + self._name[::-1].translate(test), 2)
        if isinstance(test, _Looking):
            found = test.graph.ends(self.everywhere, self)
            return self.everywhere & ~found if test.is_negative else found
        length = len(self._name)
        if test == "start":
            return 1
        if test == "very end":
            return 1 << length
        if test == "end":
            return 0b11 << (length - 1) if self._name.endswith(b"\n") else 1 << length
        in_word = self.passing(self._word)
        boundaries = in_word ^ (in_word << 1)
        return boundaries if test == "boundary" else self.everywhere & ~boundaries


class _Looking(NamedTuple):
    graph: _Graph
    is_negative: bool


class _Graph:
    """numbers: counts the states of this graph and of those it asks. is_backward: what is given are ends, and what
    comes out are the positions where it begins.

    Raises: TooLarge
    """

    def __init__(self, node: Node, numbers: Iterator[int], *, is_backward: bool) -> None:
        self._numbers = numbers
        self._is_backward = is_backward
        self._edges: list[list[tuple[bytes | Place | _Looking | None, int]]] = [[]]
        self._last = self._add(node, 0)

    def ends(self, positions: int, name: _Name) -> int:
        """Where it ends, beginning at any of these positions. Raises: _GivenUp"""
        is_backward = self._is_backward
        seen = [0] * len(self._edges)
        waiting = [0] * len(self._edges)
        waiting[0] = positions
        states = deque([0])
        while states:
            state = states.popleft()
            positions = waiting[state]
            waiting[state] = 0
            seen[state] |= positions
            for test, target in self._edges[state]:
                name.steps += 1
                if test is None:
                    passed = positions
                elif not isinstance(test, bytes):
                    passed = positions & name.passing(test)
                elif is_backward:
                    passed = (positions >> 1) & name.passing(test)
                else:
                    passed = (positions & name.passing(test)) << 1
                passed &= ~seen[target]
                if passed:
                    if not waiting[target]:
                        states.append(target)
                    waiting[target] |= passed
            if name.steps > STEPS_MAX:
                raise _GivenUp
        return seen[self._last]

    def _state(self) -> int:
        if next(self._numbers) == STATES_MAX:
            raise TooLarge
        self._edges.append([])
        return len(self._edges) - 1

    def _add(self, node: Node, state: int) -> int:
        """Answers the state in which it has been found. Raises: TooLarge"""
        match node:
            case OneByte(test) | At(test):
                return self._edge(state, test)
            case Look(body, is_behind, is_negative):
                return self._edge(state, _Looking(_Graph(body, self._numbers, is_backward=not is_behind), is_negative))
            case InTurn(parts):
                for part in reversed(parts) if self._is_backward else parts:
                    state = self._add(part, state)
                return state
            case OneOf(options):
                last = self._state()
                for option in options:
                    self._edges[self._add(option, state)].append((None, last))
                return last
            case Repeated(body, least, most):
                return self._add_repeated(body, least, most, state)

    def _add_repeated(self, body: Node, least: int, most: int | None, state: int) -> int:
        for _ in range(least):
            state = self._add(body, state)
        last = self._edge(state, None)
        if most is None:
            self._edges[self._add(body, last)].append((None, last))
            return last
        for _ in range(most - least):
            state = self._add(body, state)
            self._edges[state].append((None, last))
        return last

    def _edge(self, state: int, test: bytes | Place | _Looking | None) -> int:
        target = self._state()
        self._edges[state].append((test, target))
        return target


class _Ways(NamedTuple):
    """At most how many ways to match there are: e ** log_factor, times the length of the name to the degree."""

    log_factor: float
    degree: float


def backtracking_length(node: Node, steps: float) -> float:
    """The longest name in which backtracking finds it, or does not find it, in at most so many steps."""
    ways = _ways(node)
    is_anchored = isinstance(node, InTurn) and len(node.parts) > 0 and node.parts[0] == At("start")
    degree = ways.degree if is_anchored else ways.degree + 1
    left_log = math.log(steps) - ways.log_factor
    if left_log < 0:
        return -1
    return math.exp(left_log / degree) - 1 if degree else math.inf


def _ways(node: Node) -> _Ways:
    """From one position. Infinite: there is no bound."""
    match node:
        case OneByte() | At():
            return _Ways(0, 0)
        case Look(body):
            return _ways(body)
        case InTurn(parts):
            each = [_ways(part) for part in parts]
            return _Ways(sum(one.log_factor for one in each), sum(one.degree for one in each))
        case OneOf(options):
            each = [_ways(option) for option in options]
            return _Ways(math.log(len(each)) + max(one.log_factor for one in each), max(one.degree for one in each))
        case Repeated(_, _, 0):
            return _Ways(0, 0)
        case Repeated(body, least, most):
            once = _ways(body)
            if most is not None:
                return _Ways(math.log(most - least + 1) + most * once.log_factor, most * once.degree)
            is_one_way = once.log_factor == once.degree == 0
            return _Ways(0, 1) if is_one_way else _Ways(math.inf, 0)
