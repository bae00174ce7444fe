"""Patterns of policies and permissions. What matches and what does not was answered by Erlang's re:run (OTP 25)."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leveret.core.patterns import InvalidPattern, compile_pattern

# Behind it a pattern means what it meant, but how often it can be tried has no bound.
UNBOUNDED = "(?:|)*"


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
        ("(?i:a(b))c", ["aBc"], ["abC"]),
        ("^(?=ab|c)", ["ab", "c"], ["ba", "a"]),
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
    for matches in (compile_pattern(pattern), compile_pattern(pattern + UNBOUNDED)):
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
        ("(" * 100_000, '{"parentheses nested too deeply",100}'),
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


@pytest.mark.parametrize(
    ("pattern", "name", "is_match"),
    [
        ("^(a+)+$", "a" * 254, True),
        ("^(a+)+$", "a" * 254 + "!", False),
        ("(a|aa)+$", "a" * 254 + "!", False),
        ("^(a?){30}a{30}$", "a" * 30, True),
        ("^(a?){30}a{31}$", "a" * 30, False),
        ("(a|a)(a|a)" * 20 + "!", "a" * 255, False),
        (".*.*.*.*.*.*=", "a" * 255, False),
        ("^(([ab]*c|a)*d|a)*$", "a" * 254 + "!", False),
        (r"^(?=([a-z]+\.?)+!)", "a." * 127, False),
        (r"^(?!([a-z]+\.?)+!)", "a." * 127, True),
        (r"(?<=a)(\B|b)*$", "a" * 254 + "-", False),
        ("(?i)" + "(?:(?=" * 49 + "((a|b)*)" + "))" * 49, "b", True),
        # PCRE gives up on it; here it is looked at to the end
        ("(a+)+$|!", "a" * 254 + "!", True),
    ],
)
def test_no_pattern_takes_long(pattern: str, name: str, is_match: bool) -> None:
    assert compile_pattern(pattern)(name) is is_match


def test_a_pattern_of_many_states_is_given_up_as_pcre_does() -> None:
    matches = compile_pattern("^(a?){250}(a?){250}b?$")
    assert matches("aab")
    assert not matches("a" * 250)  # it would match


@pytest.mark.parametrize("pattern", ["(a{100}){101}", "(?=a{9999})(?=a{9999})", "((?!ab{99}c){99}){99}"])
def test_a_pattern_of_too_many_states_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidPattern, match="not supported: too many repetitions"):
        compile_pattern(pattern)


one_byte = st.sampled_from(
    ["a", "b", "é", r"\.", ".", "[ab]", "[^a]", r"[\w-]", "[[:alpha:]]", r"\d", r"\D", r"\s", r"\S", r"\w", r"\W"]
)
place = st.sampled_from(["^", "$", r"\A", r"\Z", r"\z", r"\b", r"\B", "(?<=ab|b.)", "(?<!a)", "(?<=^a)"])
times = st.sampled_from(["*", "+", "?", "*?", "{2}", "{0}", "{1,2}", "{1,}", "{0,2}?"])


def _larger(smaller: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = st.builds("{}{})".format, st.sampled_from(["(", "(?:", "(?i:", "(?=", "(?!"]), smaller)
    repeated = st.builds("{}{}".format, group | one_byte, times)
    several = st.lists(smaller | repeated, max_size=4)
    return repeated | several.map("".join) | several.map("|".join)


@given(st.recursive(one_byte | place, _larger, max_leaves=12), st.text("abAB1.-é\n ", max_size=8))
@example("(?i:a[b])", "xAB")
@example("(?:a|b{1,2}|)*?^b", "b")
def test_without_backtracking_a_pattern_means_the_same(pattern: str, name: str) -> None:
    try:
        matches = compile_pattern(pattern)
    except InvalidPattern:
        return  # a letter that is not ASCII after (?i
    assert matches(name) is compile_pattern(f"(?:{pattern}){UNBOUNDED}")(name)
