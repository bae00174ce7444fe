"""Patterns of policies and permissions. What matches and what does not was answered by Erlang's re:run (OTP 25)."""

import pytest

from leveret.core.patterns import InvalidPattern, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        # as people write them
        ("", ["", "a"], []),
        (".*", ["", "a", "\n"], []),
        ("^$", ["", "\n"], ["a", "\na"]),
        (r"^amq\.", ["amq.gen-x"], ["amqx", "xamq."]),
        (r"^(?!amq\.).*", ["a", "amq", "xamq.a"], ["amq.direct"]),
        (r"^ha\.", ["ha.", "ha.a"], ["ha", "aha."]),
        ("(a|b)c", ["ac", "xbc"], ["ab", "c"]),
        ("^(orders|amq.default)$", ["orders", "amq.default"], ["orders2", "my-orders"]),
        ("^a{2,3}b?$", ["aa", "aaab"], ["a", "aaaa"]),
        ("^[a-c_.-]+?$", ["a.b-c_"], ["d", "a,b"]),
        (r"[^\]\\]$", ["]a"], ["a]", "a\\"]),
        (r"^(?=.*-).*(?<!x)(?:y|z)\Z", ["-z", "-y\n"], ["z", "-xz"]),
        (r"^{id}\.a\|b#$", ["{id}.a|b#"], ["id.a|b#"]),
        ("(?i)^Ab[c-d]", ["aBD"], ["bD"]),
        ("^a(?i:b)", ["aB"], ["AB"]),
        # words that Python does not have, or not so
        ("[[:digit:]]+$", ["a1"], ["1a", ":", "d"]),
        ("^[[:alnum:].]$", ["a", "1", "."], ["-", ":", "[", "_"]),
        ("^[^[:space:][:alpha:]]$", ["1"], [" ", "a"]),
        ("^[[:xdigit:]-z]$", ["F", "-", "z"], ["g"]),
        (r"^[\w-.]$", ["a", "1", "_", "-", "."], [",", " "]),
        (r"^[\d-z]$", ["1", "-", "z"], ["a"]),
        (r"a\z", ["a"], ["a\n"]),
        (r"a\Z", ["a", "a\n"], ["ab"]),
        ("a$", ["a", "a\n"], ["a\nb"]),
        ("[[&&|~-]", ["[", "&", "|", "~", "-"], ["a", "]"]),
        # bytes, of which those that are letters in Latin-1 are
        ("^..$", ["é", "ab"], ["a"]),
        ("^é$", ["é"], ["É", "e"]),
        (r"^\w", ["é", "日", "a"], ["-", "\udcd7"]),
        (r"^\W", ["-"], ["a", "é"]),
        (r"^[\w]", ["é", "a"], ["-"]),
        ("^[[:alpha:]][^[:word:]]$", ["é", "a-"], ["ab"]),
        (r"a\b", ["a", "a b"], ["aé", "ab"]),
        (r"\b-", ["a-"], ["-", "--"]),
        (r"a\B", ["aé", "ab"], ["a", "a b"]),
        (r"\B-", ["-", "--"], ["a-"]),
    ],
)
def test_it_matches_what_rabbitmq_matches(pattern: str, matching: list[str], others: list[str]) -> None:
    matches = compile_pattern(pattern)
    assert [name for name in [*matching, *others] if matches(name)] == matching


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("a(", '{"missing ), unterminated subpattern",1}'),
        ("a)", '{"unbalanced parenthesis",1}'),
        ("é**", '{"multiple repeat",3}'),
        ("*", '{"nothing to repeat",0}'),
        (r"\w[b-a]", '{"bad character range b-a",3}'),
        ("[[:alpha:]", '{"unterminated character set",0}'),
        ("a(?<=a|bc)d", '{"look-behind requires fixed-width pattern",0}'),
        ("(" * 100_000, '{"parentheses nested too deeply",0}'),
    ],
)
def test_a_mistake_is_told_in_pythons_words_and_erlangs_shape(pattern: str, told: str) -> None:
    with pytest.raises(InvalidPattern) as refusal:
        compile_pattern(pattern)
    assert str(refusal.value) == told


@pytest.mark.parametrize(
    "pattern",
    [
        # RabbitMQ refuses them, too
        "\\", "[\\", "(?", "(?<", r"\b*", r"\Z+", "[:alpha:]", "[[:foo:]]", r"[a-\d]", "[a-[:digit:]]",
        # Python and PCRE read them differently, or different versions of them do
        "a{,2}", "a\0", "[\0]", "[]a]", "[^]a]", "[+--]", r"[\.-z]", r"\v", r"[\v]", r"\x41", r"\101", "(?m)^a",
        "(?x)a b", "(?L)a", "(?a)a", "(?iu)a", "(?i)ã", "ã(?i:a)", "[[:upper:]]", "[[:^digit:]]", "[[.a.]]", "a{70000}",
        # Python cannot do them, or hardly anybody asks for them
        "a(?i)b", "a++", "a{2}+", "(?>a)", r"(a)\1", "(?P<n>a)", "(?(1)a)", "(?#a)", "(?R)", "(*ACCEPT)a", r"\Qa\E",
        r"\h", r"\K", r"\R", r"\p{L}", r"[\b]", r"[\W]",
    ],
)  # fmt: skip
def test_what_could_mean_something_else_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidPattern, match=r'^\{"not supported: '):
        compile_pattern(pattern)


def test_a_refusal_tells_where() -> None:
    with pytest.raises(InvalidPattern) as refusal:
        compile_pattern(r"^[\w.]é\Qa")
    assert str(refusal.value) == r'{"not supported: \\Qa",8}'
