"""The topic exchange: keys are words between dots, `*` stands for one word and `#` for any number of words.

How this works. Binding keys are a trie, one node for each word. A routing key walks it with a set of nodes at once:
those that the words read so far can lead to. Every node enters that set at most once a word, so the cost is bounded by
words times nodes, whatever the wildcards; trying one path after the other would take a time that grows with a power of
the key's length, one more for each `#`.

Two kinds of nodes can be reached. A node for a word or for `*` is left with the next word. A node for `#` is entered
without reading a word, as soon as its parent is reached, and never left, because it can read any word that follows. So
the first kind is a new list for each word, the second one list that only grows. A node has one parent, and different
parents have different children, so the new list has no duplicates; only the second kind has to be asked for that.

Wildcards in a row are brought into one form first: `#.*.#` and `*.#` both mean "one word or more". So the child of a
`#` is a word, never a wildcard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from leveret.core.binding import Binding, Destination
from leveret.core.exchanges.base import DestinationCounts, Exchange
from leveret_protocol.fields import Table

if TYPE_CHECKING:
    from leveret.core.vhost import VirtualHost

ONE_WORD = "*"
ANY_WORDS = "#"


class TopicExchange(Exchange):
    """RabbitMQ: XT-3, XT-4. Binding arguments play no part."""

    __slots__ = ("_root",)

    type_name = "topic"

    def __init__(
        self, vhost: VirtualHost, name: str, *, durable: bool, auto_delete: bool, internal: bool, arguments: Table
    ) -> None:
        super().__init__(vhost, name, durable=durable, auto_delete=auto_delete, internal=internal, arguments=arguments)
        self._root = _Node()

    def route_by_keys(self, routing_keys: Sequence[str]) -> Iterable[Destination]:
        return [destination for key in routing_keys for destination in self._matching(key)]

    def _matching(self, routing_key: str) -> Iterable[Destination]:
        found: list[Destination] = []
        reached = [self._root]
        any_words: dict[_Node, None] = {}  # the nodes for `#` that have been reached, in that order
        if self._root.any_words is not None:
            _enter(self._root.any_words, any_words, found)
        for word in split(routing_key):
            following: list[_Node] = []
            for node in reached:
                if (child := node.words.get(word)) is not None:
                    following.append(child)
                if node.one_word is not None:
                    following.append(node.one_word)
            for node in any_words:
                if (child := node.words.get(word)) is not None:
                    following.append(child)
            reached = following
            for node in reached:
                if node.any_words is not None and node.any_words not in any_words:
                    _enter(node.any_words, any_words, found)
        for node in reached:
            found.extend(node.destinations)
        return found

    def _added(self, binding: Binding) -> None:
        node = self._root
        for word in normalised(split(binding.routing_key)):
            node = node.child(word) or node.grow(word)
        node.destinations.add(binding.destination)

    def _removed(self, binding: Binding) -> None:
        path: list[tuple[_Node, str]] = []
        node = self._root
        for word in normalised(split(binding.routing_key)):
            path.append((node, word))
            child = node.child(word)
            assert child is not None
            node = child
        node.destinations.remove(binding.destination)
        for parent, word in reversed(path):
            if not node.is_empty:
                return
            parent.prune(word)
            node = parent


class _Node:
    """One word of binding keys: what may follow it, and where the keys lead that end with it."""

    __slots__ = ("any_words", "destinations", "one_word", "words")

    def __init__(self) -> None:
        self.words: dict[str, _Node] = {}
        self.one_word: _Node | None = None
        self.any_words: _Node | None = None
        self.destinations = DestinationCounts()

    @property
    def is_empty(self) -> bool:
        return not (self.destinations or self.words or self.one_word or self.any_words)

    def child(self, word: str) -> _Node | None:
        if word == ONE_WORD:
            return self.one_word
        if word == ANY_WORDS:
            return self.any_words
        return self.words.get(word)

    def grow(self, word: str) -> _Node:
        node = _Node()
        if word == ONE_WORD:
            self.one_word = node
        elif word == ANY_WORDS:
            self.any_words = node
        else:
            self.words[word] = node
        return node

    def prune(self, word: str) -> None:
        if word == ONE_WORD:
            self.one_word = None
        elif word == ANY_WORDS:
            self.any_words = None
        else:
            del self.words[word]


def _enter(node: _Node, any_words: dict[_Node, None], found: list[Destination]) -> None:
    """A node for `#` is reached. Whatever follows, a key that ends here matches."""
    found.extend(node.destinations)
    any_words[node] = None


def split(key: str) -> list[str]:
    """The words of a key: none if it is empty, else one more than it has dots. Words may be empty."""
    return key.split(".") if key else []


def normalised(words: list[str]) -> list[str]:
    """The same pattern with each row of wildcards as all of its `*` and, if there is any, a single `#` after them."""
    result: list[str] = []
    any_words = False
    for word in words:
        if word == ANY_WORDS:
            any_words = True
            continue
        if any_words and word != ONE_WORD:
            result.append(ANY_WORDS)
            any_words = False
        result.append(word)
    if any_words:
        result.append(ANY_WORDS)
    return result
