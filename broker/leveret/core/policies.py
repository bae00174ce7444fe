"""Policies: what holds for queues and exchanges of many names, set from outside and changed at any time.

Of all policies that match an object one applies, and so does one of all operator policies (RabbitMQ: POL-1, POL-2).
Here they are kept, validated and looked up. What follows from a change for the objects is the virtual host's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypedDict

from leveret.core.definitions import UNSUPPORTED_KEYS, definition_refusal, merged
from leveret.core.erlang_terms import printed
from leveret.core.names import INTERNAL_USER
from leveret.core.patterns import InvalidPattern, compile_pattern
from leveret.core.settings import Definition

# What a policy may apply to -> the kinds of objects that is. A kind is a queue's type, or "exchange".
APPLY_TO: Final[Mapping[str, frozenset[str]]] = {
    "all": frozenset({"exchange", "classic", "quorum", "stream"}),
    "exchanges": frozenset({"exchange"}),
    "queues": frozenset({"classic", "quorum", "stream"}),
    "classic_queues": frozenset({"classic"}),
    "quorum_queues": frozenset({"quorum"}),
    "streams": frozenset({"stream"}),
}

# As the HTTP API and definition files have it.
PolicyEntry = TypedDict(
    "PolicyEntry",
    {
        "vhost": str,
        "name": str,
        "pattern": str,
        "apply-to": str,
        "definition": Definition,
        "priority": int | float,
    },
)


class PolicyError(ValueError):
    """A policy that cannot be set or cleared. The text is RabbitMQ's, one line for each thing that is wrong."""


@dataclass(frozen=True)
class Policy:
    """One policy, or operator policy. name_matches: does its pattern match a name? kinds: what it may apply to."""

    vhost: str
    name: str
    pattern: str
    apply_to: str
    definition: Definition
    priority: int | float
    is_operator: bool
    name_matches: Callable[[str], bool] = field(repr=False, compare=False)
    kinds: frozenset[str] = field(repr=False, compare=False)

    def matches(self, kind: str, name: str) -> bool:
        """kind: a queue's type, or "exchange"."""
        return kind in self.kinds and self.name_matches(name)

    def entry(self) -> PolicyEntry:
        return {
            "vhost": self.vhost,
            "name": self.name,
            "pattern": self.pattern,
            "apply-to": self.apply_to,
            "definition": dict(self.definition),
            "priority": self.priority,
        }


@dataclass(frozen=True)
class EffectivePolicy:
    """What applies to an object: names, None if there is none, and the definition that both come to."""

    policy: str | None
    operator_policy: str | None
    definition: Definition

    @classmethod
    def of(cls, policy: Policy | None, operator_policy: Policy | None) -> EffectivePolicy:
        if policy is None and operator_policy is None:
            return NO_POLICY
        return cls(
            None if policy is None else policy.name,
            None if operator_policy is None else operator_policy.name,
            merged(
                {} if policy is None else policy.definition,
                {} if operator_policy is None else operator_policy.definition,
            ),
        )


NO_POLICY: Final = EffectivePolicy(None, None, {})


@dataclass(frozen=True)
class PolicyChange:
    """old: None for a new policy; new: None for one that was cleared. user: who did it.

    ranked_before, ranked_now: all policies there were and are, those that win first.
    """

    old: Policy | None
    new: Policy | None
    is_operator: bool
    user: str
    ranked_before: Iterable[Policy] = field(repr=False)
    ranked_now: Iterable[Policy] = field(repr=False)

    def concerns(self, kind: str, name: str) -> bool:
        """Does another policy apply to the object now, or the same one with other words?"""
        if not any(policy.matches(kind, name) for policy in (self.old, self.new) if policy is not None):
            return False
        return _winner(self.ranked_before, kind, name) != _winner(self.ranked_now, kind, name)


class Policies:
    """The policies of a virtual host, or its operator policies.

    Iterating gives them by name. on_change is called after each change.
    `user`, in all that changes something: the name of who does it, for observers.
    """

    def __init__(self, vhost: str, on_change: Callable[[PolicyChange], None], *, is_operator: bool = False) -> None:
        self.vhost = vhost
        self.is_operator = is_operator
        self._on_change = on_change
        self._by_name: dict[str, Policy] = {}
        self._by_rank: list[Policy] = []

    def __iter__(self) -> Iterator[Policy]:
        return iter(sorted(self._by_name.values(), key=lambda policy: policy.name))

    def get(self, name: str) -> Policy | None:
        return self._by_name.get(name)

    def set(
        self, name: str, *, pattern: object, definition: object, priority: object = 0, apply_to: object = "all",
        user: str = INTERNAL_USER,
    ) -> Policy:  # fmt: skip
        """Create it, or put it in the place of the one with that name. It applies at once (RabbitMQ: POL-5).

        All values are those of a client's JSON, and checked here. pattern: a regular expression, see `patterns`, found
        anywhere in a name. apply_to: a key of APPLY_TO. priority: the highest one wins.

        Raises: PolicyError
        """
        policy = _policy(self.vhost, name, pattern, definition, priority, apply_to, is_operator=self.is_operator)
        old = self._by_name.get(name)
        if policy != old:  # RabbitMQ: setting the same again changes nothing and tells nobody
            self._by_name[name] = policy
            self._changed(old, policy, user)
        return policy

    def clear(self, name: str, user: str = INTERNAL_USER) -> None:
        """Raises: PolicyError: there is none with this name."""
        old = self._by_name.pop(name, None)
        if old is None:
            raise PolicyError("Parameter does not exist")
        self._changed(old, None, user)

    @property
    def ranked(self) -> Sequence[Policy]:
        """Those that win first. After each change it is another object."""
        return self._by_rank

    def match(self, kind: str, name: str) -> Policy | None:
        """The one that applies: highest priority, then first name (RabbitMQ leaves that undefined)."""
        return _winner(self._by_rank, kind, name)

    def _changed(self, old: Policy | None, new: Policy | None, user: str) -> None:
        """Every change of a policy passes here."""
        before, self._by_rank = self._by_rank, sorted(self, key=lambda policy: -policy.priority)
        self._on_change(PolicyChange(old, new, self.is_operator, user, before, self._by_rank))


def _winner(ranked: Iterable[Policy], kind: str, name: str) -> Policy | None:
    return next((policy for policy in ranked if policy.matches(kind, name)), None)


def _policy(
    vhost: str, name: str, pattern: object, definition: object, priority: object, apply_to: object, *, is_operator: bool
) -> Policy:
    """Raises: PolicyError: everything that is wrong, in RabbitMQ's order."""
    refusals = [definition_refusal(definition, is_operator=is_operator), _apply_to_refusal(apply_to)]
    name_matches: Callable[[str], bool] | None = None
    if isinstance(pattern, str):
        try:
            name_matches = compile_pattern(pattern)
        except InvalidPattern as error:
            refusals.append(f"pattern should be regular expression but is invalid: {error}")
    else:
        refusals.append(f"pattern should be a binary but was {printed(pattern)}")
    if not isinstance(priority, int | float) or isinstance(priority, bool):
        refusals.append(f"priority should be a number, actually was {printed(priority)}")
    told = [refusal for refusal in refusals if refusal is not None]
    if told:
        raise PolicyError("\n".join(told))
    assert isinstance(pattern, str) and isinstance(apply_to, str) and isinstance(definition, Mapping)
    assert isinstance(priority, int | float) and name_matches is not None
    return Policy(
        vhost,
        name,
        pattern,
        apply_to,
        dict(definition),
        priority,
        is_operator,
        name_matches=name_matches,
        kinds=APPLY_TO[apply_to]
        - {kind for kind, unsupported in UNSUPPORTED_KEYS.items() if unsupported & definition.keys()},
    )


def _apply_to_refusal(apply_to: object) -> str | None:
    if isinstance(apply_to, str) and apply_to in APPLY_TO:
        return None
    shown = apply_to if isinstance(apply_to, str) else printed(apply_to)
    return (
        f"apply-to '{shown}' unrecognised; should be one of: 'queues', 'classic_queues',  'quorum_queues', 'streams', "
        "'exchanges', or 'all'"
    )
