"""Policies by themselves: what is refused and with which text, which one applies to what, and what two come to.

The texts are those of RabbitMQ 3.10.8, except where a comment says otherwise.
"""

from typing import Any

import pytest

from leveret.core.definitions import KEYS, OPERATOR_KEYS, merged
from leveret.core.exchanges import Exchange
from leveret.core.policies import EffectivePolicy, Policies, PolicyChange, PolicyError
from leveret.core.queue import Queue
from leveret.core.settings import QueueSettings
from leveret.core.vhost import VirtualHost
from tests.core.scene import declare_exchange, declare_queue


def policies(*, is_operator: bool = False) -> Policies:
    return Policies("/", lambda change: None, is_operator=is_operator)


def refusal(*, is_operator: bool = False, **values: Any) -> str:
    with pytest.raises(PolicyError) as refused:
        policies(is_operator=is_operator).set("p", **{"pattern": "^x", "definition": {"max-length": 1}} | values)
    return str(refused.value)


# -- definitions ----------------------------------------------------------------------------------------------------

REFUSED_DEFINITIONS: list[tuple[Any, str]] = [
    ({"alternate-exchange": 1}, "1 is not a valid alternate exchange name"),
    ({"dead-letter-exchange": None}, "null is not a valid dead letter exchange name"),
    ({"dead-letter-routing-key": ["a"]}, '[<<"a">>] is not a valid dead letter routing key'),
    ({"dead-letter-strategy": "never"}, '<<"never">> is not a valid dead letter strategy'),
    ({"delivery-limit": "1"}, '<<"1">> is not a valid delivery limit'),
    ({"delivery-limit": 1.5}, "1.5 is not a valid delivery limit"),
    ({"expires": 0}, "0 is not a valid queue expiry"),
    ({"expires": True}, "true is not a valid queue expiry"),
    ({"initial-cluster-size": -1}, "-1 is not a valid cluster size"),
    ({"max-age": "1"}, '<<"1">> is not a valid max age'),
    ({"max-age": "0s"}, '<<"0s">> is not a valid max age'),
    ({"max-age": "1hour"}, '<<"1hour">> is not a valid max age'),
    ({"max-in-memory-bytes": -1}, "-1 is not a valid maximum memory in bytes"),
    ({"max-in-memory-length": -1}, "-1 is not a valid maximum memory in bytes"),
    ({"max-length": -1}, "-1 is not a valid maximum length"),
    ({"max-length": 1000.0}, "1.0e3 is not a valid maximum length"),
    ({"max-length": {}}, "#{} is not a valid maximum length"),
    ({"max-length": {"b": [1, 2], "a": "x"}}, '#{<<"a">> => <<"x">>,<<"b">> => [1,2]} is not a valid maximum length'),
    ({"max-length-bytes": [97, 98]}, '"ab" is not a valid maximum length in bytes'),
    ({"message-ttl": -1}, "-1 is not a valid message TTL"),
    ({"message-ttl": "a\tb\\"}, '<<"a\\tb\\\\">> is not a valid message TTL'),
    ({"overflow": "zz"}, '<<"zz">> is not a valid overflow value'),
    ({"overflow": ""}, "<<>> is not a valid overflow value"),
    ({"queue-leader-locator": "min-masters"}, '<<"min-masters">> is not a valid queue leader locator value'),
    ({"queue-mode": "x"}, '<<"x">> is not a valid queue-mode value'),
    ({"queue-version": 3}, "3 is not a valid queue-version value"),
    ({"queue-version": 1.0}, "1.0 is not a valid queue-version value"),
    ({"queue-version": True}, "true is not a valid queue-version value"),
    ({"stream-max-segment-size-bytes": 3_000_000_001}, "3000000001 is not a valid segment size"),
    ({"bogus": 1}, '[{<<"bogus">>,1}] are not recognised policy settings'),
    ({"max-priority": 1, "a": "b"}, '[{<<"a">>,<<"b">>},{<<"max-priority">>,1}] are not recognised policy settings'),
    # What is wrong comes before what is unknown, and of several that are wrong the first by name is told.
    ({"max-length": -1, "bogus": 1}, "-1 is not a valid maximum length"),
    ({"max-length": -1, "expires": 0, "alternate-exchange": 1}, "1 is not a valid alternate exchange name"),
    # RabbitMQ breaks such a text into lines.
    ({"a" * 80: 1, "b": 2}, f'[{{<<"{"a" * 80}">>,1}},{{<<"b">>,2}}] are not recognised policy settings'),
    ({}, "no policy provided"),
    ([], "no policy provided"),
    ([1, 2], "definition must be a dictionary: [1,2]"),
    ("x", 'parse error while reading policy definition: <<"x">>. Validator: policy_validator.'),
    (None, "parse error while reading policy definition: null. Validator: policy_validator."),
]
REFUSED_BY_4_2: list[tuple[Any, str]] = [
    ({"consumer-timeout": -1}, "-1 is not a valid consumer timeout"),
    ({"stream-filter-size-bytes": 15}, "15 is not a valid filter size. Valid range is 16-255"),
    ({"stream-filter-size-bytes": 256}, "256 is not a valid filter size. Valid range is 16-255"),
    ({"target-group-size": 0}, "0 is not a valid qq target count value"),
    ({"queue-master-locator": "x", "expires": 0}, '<<"x">> is not a valid master locator'),
    ({"delayed-retry-type": "all"}, '[{<<"delayed-retry-type">>,<<"all">>}] are not recognised policy settings'),
    # ~tp instead of ~p
    ({"overflow": "é"}, '<<"é"/utf8>> is not a valid overflow value'),
    ({"overflow": "日"}, "<<230,151,165>> is not a valid overflow value"),
    # An error 500 there.
    ({"max-age": "h"}, '<<"h">> is not a valid max age'),
    ({"max-age": 5}, "5 is not a valid max age"),
    # The federation plugin.
    ({"federation-upstream": 1}, "1 is not a valid federation upstream name"),
    ({"federation-upstream-set": 1}, "1 is not a valid federation upstream set name"),
    ({"federation-upstream-pattern": 1}, "1 is not a valid federation upstream pattern name"),
    (
        {"federation-upstream-pattern": "("},
        'could not compile pattern ( to a regular expression. Error: {"missing ), unterminated subpattern",0}',
    ),
    (
        {"federation-upstream": "a", "federation-upstream-set": "all"},
        "cannot specify federation-upstream, federation-upstream-set or federation-upstream-pattern together",
    ),
]


@pytest.mark.parametrize(("definition", "text"), REFUSED_DEFINITIONS + REFUSED_BY_4_2)
def test_a_definition_is_refused_as_rabbitmq_does(definition: Any, text: str) -> None:
    """RabbitMQ: POL-7, POL-8."""
    assert refusal(definition=definition) == text


VALID_VALUES: dict[str, list[Any]] = {
    "alternate-exchange": ["", "ae"],
    "consumer-timeout": [0, 1],
    "dead-letter-exchange": ["", "dlx"],
    "dead-letter-routing-key": ["", "key"],
    "dead-letter-strategy": ["at-most-once", "at-least-once"],
    "delivery-limit": [-1, 0, 1],
    "expires": [1, 10**15],
    "initial-cluster-size": [0, 3],
    "max-age": ["1Y", "2M", "3D", "04h", "5m", "6s"],
    "max-in-memory-bytes": [0, 1],
    "max-in-memory-length": [0, 1],
    "max-length": [0, 1],
    "max-length-bytes": [0, 1],
    "message-ttl": [0, 10**15],
    "overflow": ["drop-head", "reject-publish", "reject-publish-dlx"],
    "queue-leader-locator": ["client-local", "balanced", "random", "least-leaders"],
    "queue-master-locator": ["client-local", "balanced", "random", "least-leaders", "min-masters"],
    "queue-mode": ["default", "lazy"],
    "queue-version": [1, 2],
    "stream-filter-size-bytes": [16, 255],
    "stream-max-segment-size-bytes": [0, 3_000_000_000],
    "target-group-size": [1],
    "ha-mode": ["all", "exactly"],
    "ha-params": [2, ["a@b"]],
    "ha-sync-mode": ["automatic"],
    "ha-sync-batch-size": [1],
    "ha-promote-on-shutdown": ["always"],
    "ha-promote-on-failure": ["always"],
    "federation-upstream": ["a"],
    "federation-upstream-pattern": ["^a"],
    "federation-upstream-set": ["all"],
}


def test_each_key_is_tried() -> None:
    assert VALID_VALUES.keys() == KEYS.keys()


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in VALID_VALUES.items() for value in values])
def test_valid_values_are_taken_as_they_are(key: str, value: Any) -> None:
    policy = policies().set("p", pattern="", definition={key: value})
    assert policy.definition == {key: value}


@pytest.mark.parametrize("key", sorted(KEYS))
def test_an_operator_may_only_set_limits(key: str) -> None:
    """RabbitMQ: POL-7."""
    value = VALID_VALUES[key][0]
    if key in OPERATOR_KEYS:
        assert policies(is_operator=True).set("p", pattern="", definition={key: value}).definition == {key: value}
    else:
        told = refusal(definition={key: value, "max-length": 1}, is_operator=True)
        assert told.startswith(f'[{{<<"{key}">>,')
        assert told.endswith("}] are not recognised policy settings")


def test_the_keys_of_an_operator() -> None:
    """RabbitMQ: the source of 4.2."""
    assert sorted(OPERATOR_KEYS) == [
        "delivery-limit", "expires", "max-in-memory-bytes", "max-in-memory-length", "max-length", "max-length-bytes",
        "message-ttl", "overflow", "queue-master-locator", "queue-version", "target-group-size",
    ]  # fmt: skip


def test_the_other_refusals_of_an_operator_policy_are_the_same() -> None:
    """What an operator may not set is not looked at any further."""
    told = refusal(definition={"alternate-exchange": 1}, is_operator=True)
    assert told == '[{<<"alternate-exchange">>,1}] are not recognised policy settings'
    assert refusal(definition={"max-length": -1, "bogus": 1}, is_operator=True) == "-1 is not a valid maximum length"
    told = refusal(definition="x", is_operator=True)
    assert told == 'parse error while reading policy definition: <<"x">>. Validator: operator_policy_validator.'


# -- the rest of a policy -------------------------------------------------------------------------------------------

# RabbitMQ tells the reason in PCRE's words.
INVALID_PATTERN = "pattern should be regular expression but is invalid: "
REFUSED_VALUES: list[tuple[dict[str, Any], str]] = [
    ({"pattern": "a)"}, f'{INVALID_PATTERN}{{"unbalanced parenthesis",1}}'),
    ({"pattern": r"a\Q"}, f'{INVALID_PATTERN}{{"not supported: \\\\Q",1}}'),
    ({"pattern": 1}, "pattern should be a binary but was 1"),
    ({"pattern": None}, "pattern should be a binary but was null"),
    ({"pattern": ["a"]}, 'pattern should be a binary but was [<<"a">>]'),
    ({"priority": "1"}, 'priority should be a number, actually was <<"1">>'),
    ({"priority": None}, "priority should be a number, actually was null"),
    ({"priority": True}, "priority should be a number, actually was true"),
    ({"priority": [1]}, "priority should be a number, actually was [1]"),
]
APPLY_TO_REFUSED = (
    "apply-to '{}' unrecognised; should be one of: 'queues', 'classic_queues',  'quorum_queues', 'streams', "
    "'exchanges', or 'all'"
)


@pytest.mark.parametrize(("values", "text"), REFUSED_VALUES)
def test_other_values_are_refused_as_rabbitmq_does(values: dict[str, Any], text: str) -> None:
    """RabbitMQ: POL-8."""
    assert refusal(**values) == text


@pytest.mark.parametrize(("value", "shown"), [("bogus", "bogus"), ("", ""), ("Queues", "Queues"), (None, "null")])
def test_what_it_may_apply_to_is_one_of_six_words(value: Any, shown: str) -> None:
    """RabbitMQ: POL-1, VER-31; the text with its two blanks is that of 3.12 to 4.3."""
    assert refusal(apply_to=value) == APPLY_TO_REFUSED.format(shown)


def test_everything_that_is_wrong_is_told() -> None:
    told = refusal(pattern="a)", definition={"expires": 0}, priority="x", apply_to="bogus")
    assert told.split("\n") == [
        "0 is not a valid queue expiry",
        APPLY_TO_REFUSED.format("bogus"),
        f'{INVALID_PATTERN}{{"unbalanced parenthesis",1}}',
        'priority should be a number, actually was <<"x">>',
    ]


def test_a_refused_policy_leaves_the_old_one() -> None:
    them = policies()
    old = them.set("p", pattern="a", definition={"max-length": 1})
    with pytest.raises(PolicyError):
        them.set("p", pattern="a(", definition={"max-length": 2})
    assert list(them) == [old]


def test_a_missing_one_cannot_be_cleared() -> None:
    with pytest.raises(PolicyError, match=r"^Parameter does not exist$"):
        policies().clear("p")


@pytest.mark.parametrize("name", ["", "é", "a/b", "x" * 1000])
def test_any_name_will_do(name: str) -> None:
    assert policies().set(name, pattern="", definition={"max-length": 1}).name == name


def test_the_listing_is_by_name() -> None:
    """The shape is that of the HTTP API and of definition files."""
    them = policies()
    them.set("b", pattern="^b", definition={"max-length": 1}, priority=1.5, apply_to="queues")
    them.set("a", pattern="^a", definition={"expires": 2})
    assert [policy.entry() for policy in them] == [
        {
            "vhost": "/", "name": "a", "pattern": "^a", "apply-to": "all", "definition": {"expires": 2}, "priority": 0,
        },
        {
            "vhost": "/", "name": "b", "pattern": "^b", "apply-to": "queues", "definition": {"max-length": 1},
            "priority": 1.5,
        },
    ]  # fmt: skip


def test_a_definition_given_or_listed_may_be_changed_without_effect() -> None:
    them = policies()
    given = {"max-length": 1}
    policy = them.set("p", pattern="", definition=given)
    given["max-length"] = 2
    policy.entry()["definition"]["max-length"] = 3  # type: ignore[index]
    assert policy.definition == {"max-length": 1}


def test_each_change_is_told_once() -> None:
    """RabbitMQ: setting what is set already is no change."""
    changes: list[PolicyChange] = []
    them = Policies("/", changes.append)
    first = them.set("p", pattern="a", definition={"max-length": 1}, user="u1")
    them.set("p", pattern="a", definition={"max-length": 1}, priority=0, apply_to="all")
    second = them.set("p", pattern="b", definition={"max-length": 1}, user="u2")
    them.clear("p", user="u3")
    told = [(change.old, change.new, change.user) for change in changes]
    assert told == [(None, first, "u1"), (first, second, "u2"), (second, None, "u3")]
    assert (list(them), them.get("p")) == ([], None)


def test_a_change_concerns_that_to_which_another_policy_applies() -> None:
    changes: list[PolicyChange] = []
    them = Policies("/", changes.append)
    them.set("high", pattern="b", definition={"max-length": 1}, priority=1)
    them.set("p", pattern="a", definition={"max-length": 2}, apply_to="queues")
    them.set("p", pattern="c", definition={"max-length": 2}, apply_to="queues")
    them.set("p", pattern="c", definition={"max-length": 3}, apply_to="queues")
    them.clear("p")
    names = ("a", "ab", "ac", "b", "c", "bc")
    concerned = [[name for name in names if change.concerns("classic", name)] for change in changes[1:]]
    assert concerned == [["a", "ac"], ["a", "ac", "c"], ["ac", "c"], ["ac", "c"]]
    assert not any(change.concerns("exchange", name) for change in changes[1:] for name in names)


# -- which one applies ----------------------------------------------------------------------------------------------


def matching(them: Policies, kind: str, name: str) -> str | None:
    policy = them.match(kind, name)
    return None if policy is None else policy.name


@pytest.mark.parametrize(
    ("apply_to", "kinds"),
    [
        ("all", ["exchange", "classic", "quorum", "stream"]),
        ("exchanges", ["exchange"]),
        ("queues", ["classic", "quorum", "stream"]),
        ("classic_queues", ["classic"]),
        ("quorum_queues", ["quorum"]),
        ("streams", ["stream"]),
    ],
)
def test_it_applies_to_what_it_says(apply_to: str, kinds: list[str]) -> None:
    """RabbitMQ: POL-1, VER-31."""
    them = policies()
    them.set("p", pattern="", definition={"max-length-bytes": 1}, apply_to=apply_to)
    assert [kind for kind in ("exchange", "classic", "quorum", "stream") if them.match(kind, "x")] == kinds


def test_the_highest_priority_wins() -> None:
    """RabbitMQ: POL-2; among equals the first name, where RabbitMQ leaves it open."""
    them = policies()
    for name, pattern, priority in [("c", "^x", 1), ("b", "^x", 1), ("a", "^x", 0.5), ("d", "^xy", 2), ("e", "z", 9)]:
        them.set(name, pattern=pattern, definition={"max-length": 1}, priority=priority)
    assert [matching(them, "classic", name) for name in ("x", "xy", "ax", "az")] == ["b", "d", None, "e"]
    them.set("b", pattern="^x", definition={"max-length": 1}, priority=-1)
    assert matching(them, "classic", "x") == "c"
    them.clear("c")
    assert matching(them, "classic", "x") == "a"


UNSUPPORTED = [
    ("max-age", ["exchange", "stream"]),
    ("stream-max-segment-size-bytes", ["exchange", "stream"]),
    ("initial-cluster-size", ["exchange", "stream"]),
    ("stream-filter-size-bytes", ["exchange", "classic", "quorum", "stream"]),
    ("delivery-limit", ["exchange", "quorum"]),
    ("dead-letter-strategy", ["exchange", "quorum"]),
    ("target-group-size", ["exchange", "quorum"]),
    ("max-in-memory-length", ["exchange", "quorum"]),
    ("max-in-memory-bytes", ["exchange", "quorum"]),
    ("queue-mode", ["exchange", "classic"]),
    ("queue-version", ["exchange", "classic", "quorum", "stream"]),
    ("queue-master-locator", ["exchange", "classic"]),
    ("queue-leader-locator", ["exchange", "classic", "quorum", "stream"]),
    ("ha-mode", ["exchange", "classic"]),
    ("ha-sync-batch-size", ["exchange", "classic", "quorum", "stream"]),
    ("message-ttl", ["exchange", "classic", "quorum"]),
    ("expires", ["exchange", "classic", "quorum"]),
    ("max-length", ["exchange", "classic", "quorum"]),
    ("max-length-bytes", ["exchange", "classic", "quorum", "stream"]),
    ("overflow", ["exchange", "classic", "quorum"]),
    ("dead-letter-exchange", ["exchange", "classic", "quorum"]),
    ("dead-letter-routing-key", ["exchange", "classic", "quorum"]),
    ("consumer-timeout", ["exchange", "classic", "quorum", "stream"]),
    ("alternate-exchange", ["exchange", "classic", "quorum", "stream"]),
]


@pytest.mark.parametrize(("key", "kinds"), UNSUPPORTED)
def test_a_key_that_a_queue_type_does_not_support_keeps_the_policy_from_it(key: str, kinds: list[str]) -> None:
    """RabbitMQ: POL-6; the lists are those of the source of 4.2."""
    them = policies()
    them.set("low", pattern="", definition={"consumer-timeout": 1})
    them.set("high", pattern="", definition={key: VALID_VALUES[key][0], "consumer-timeout": 1}, priority=1)
    found = {kind: matching(them, kind, "x") for kind in ("exchange", "classic", "quorum", "stream")}
    assert found == {kind: "high" if kind in kinds else "low" for kind in found}


# -- what two come to -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "operator_value", "both"),
    [
        ("message-ttl", 1, 2, 1),
        ("message-ttl", 2, 1, 1),
        ("expires", 2, 1, 1),
        ("max-length", 2, 1, 1),
        ("max-length", 1, 2, 1),
        ("max-length-bytes", 2, 1, 1),
        ("max-in-memory-length", 2, 1, 1),
        ("max-in-memory-bytes", 2, 1, 1),
        ("delivery-limit", 5, 3, 3),
        ("delivery-limit", 3, 5, 3),
        ("delivery-limit", -1, 3, 3),
        ("delivery-limit", 3, -1, 3),
        ("delivery-limit", -2, -1, -1),
        ("target-group-size", 3, 5, 5),
        ("target-group-size", 5, 3, 5),
        ("overflow", "drop-head", "reject-publish", "reject-publish"),
        ("queue-version", 2, 1, 1),
        ("queue-master-locator", "random", "balanced", "balanced"),
    ],
)
def test_an_operator_policy_can_only_make_it_stricter(
    key: str, value: object, operator_value: object, both: object
) -> None:
    """RabbitMQ: POL-3; target-group-size: the source of 4.2."""
    assert merged({key: value}, {key: operator_value}) == {key: both}


def test_what_only_one_of_them_says_holds() -> None:
    assert merged({"max-length": 1, "overflow": "drop-head"}, {"expires": 2}) == {
        "max-length": 1, "overflow": "drop-head", "expires": 2,
    }  # fmt: skip


# -- in a virtual host ----------------------------------------------------------------------------------------------


def effective(vhost: VirtualHost, target: Queue | Exchange) -> tuple[str | None, str | None, Any]:
    found = vhost.effective_policy(target)
    return found.policy, found.operator_policy, found.definition


def test_a_queue_tells_what_applies_to_it(vhost: VirtualHost) -> None:
    queue = declare_queue(vhost, "q1")
    assert vhost.effective_policy(queue) == EffectivePolicy(None, None, {})
    vhost.policies.set("p", pattern="^q", definition={"max-length": 5, "message-ttl": 7})
    assert effective(vhost, queue) == ("p", None, {"max-length": 5, "message-ttl": 7})
    vhost.operator_policies.set("o", pattern="1$", definition={"max-length": 3, "expires": 9})
    assert effective(vhost, queue) == ("p", "o", {"max-length": 3, "message-ttl": 7, "expires": 9})
    vhost.policies.clear("p")
    assert effective(vhost, queue) == (None, "o", {"max-length": 3, "expires": 9})
    assert effective(vhost, declare_queue(vhost, "q2")) == (None, None, {})


def test_every_exchange_tells_what_applies_to_it(vhost: VirtualHost) -> None:
    """RabbitMQ: the default exchange, too, and operator policies as well."""
    vhost.policies.set("p", pattern="", definition={"max-length": 5}, apply_to="exchanges")
    vhost.operator_policies.set("o", pattern="", definition={"expires": 1})
    for name in ("", "amq.topic"):
        assert effective(vhost, vhost.exchange(name)) == ("p", "o", {"max-length": 5, "expires": 1})
    assert effective(vhost, declare_queue(vhost)) == (None, "o", {"expires": 1})


def test_the_default_exchange_gets_no_alternate(vhost: VirtualHost) -> None:
    vhost.policies.set("p", pattern="", definition={"alternate-exchange": "ae"})
    alternates = {name: vhost.exchange(name).alternate for name in ("", "amq.direct")}
    assert alternates == {"": None, "amq.direct": "ae"}


def test_an_exchange_declared_later_gets_its_alternate(vhost: VirtualHost) -> None:
    vhost.policies.set("p", pattern="^x", definition={"alternate-exchange": "ae"})
    own = declare_exchange(vhost, "x2", arguments={"alternate-exchange": "own"})
    assert (declare_exchange(vhost, "x1").alternate, own.alternate) == ("ae", "own")


def test_remembered_routes_are_void_after_each_change(vhost: VirtualHost) -> None:
    generations = [vhost.generation]
    vhost.policies.set("p", pattern="^x", definition={"alternate-exchange": "ae"})
    generations.append(vhost.generation)
    vhost.policies.clear("p")
    generations.append(vhost.generation)
    assert generations == sorted(set(generations))


def test_only_what_it_matches_is_given_new_settings(vhost: VirtualHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each queue once, also where an old and a new form of the policy match; none whose settings stay the same."""
    applied: list[tuple[str, int | None]] = []
    queues = {name: declare_queue(vhost, name) for name in ("a", "b", "ab", "c", "a-limited")}

    def note(queue: Queue, settings: QueueSettings) -> None:
        queue.settings = settings
        applied.append((queue.name, settings.max_length))

    for queue in queues.values():
        monkeypatch.setattr(type(queue), "apply", note)
    vhost.policies.set("other", pattern="^a-", definition={"max-length": 1}, priority=1)
    assert applied == [("a-limited", 1)]
    applied.clear()
    vhost.policies.set("p", pattern="a", definition={"max-length": 2})
    assert applied == [("a", 2), ("ab", 2)]
    applied.clear()
    vhost.policies.set("p", pattern="b", definition={"max-length": 2})
    assert applied == [("a", None), ("b", 2)]
    applied.clear()
    vhost.policies.clear("p")
    assert applied == [("b", None), ("ab", None)]


def test_virtual_hosts_have_policies_of_their_own(vhost: VirtualHost) -> None:
    other = vhost.node.add_vhost("other")
    vhost.policies.set("p", pattern="", definition={"max-length": 1})
    assert effective(other, declare_queue(other)) == (None, None, {})
    assert [policy.vhost for policy in vhost.policies] == ["/"]
