"""What PCRE makes of a pattern. All of it was answered by Erlang's re:compile and re:run (OTP 25, RabbitMQ 3.10.8)."""

import pytest

from leveret.core.patterns import InvalidPattern, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "reason", "position"),
    [
        ("a(", "missing )", 2),
        ("a)", "unmatched parentheses", 1),
        ("*", "nothing to repeat", 0),
        ("a**", "nothing to repeat", 2),
        ("^*", "nothing to repeat", 1),
        (r"\b*", "nothing to repeat", 2),
        ("[a", "missing terminating ] for character class", 2),
        ("[]", "missing terminating ] for character class", 2),
        ("[^]", "missing terminating ] for character class", 3),
        ("[b-a]", "range out of order in character class", 3),
        ("a{2,1}", "numbers out of order in {} quantifier", 5),
        ("a{65536}", "number too big in {} quantifier", 7),
        ("a{2}{3}", "nothing to repeat", 6),
        ("(?", "unrecognized character after (? or (?-", 2),
        ("(?z)", "unrecognized character after (? or (?-", 2),
        ("(?<", "unrecognized character after (?<", 3),
        ("(?<a", "syntax error in subpattern name (missing terminator)", 4),
        ("(?<1>x)", "group name must start with a non-digit", 3),
        ("(?P", "unrecognized character after (?P", 3),
        ("(?P<a>x)(?P<a>y)", "two named subpatterns have the same name", 13),
        ("\\", r"\ at end of pattern", 1),
        ("[\\", r"\ at end of pattern", 2),
        (r"a\1", "reference to non-existent subpattern", 3),
        (r"(a)\2", "reference to non-existent subpattern", 5),
        ("(?<=a*)b", "lookbehind assertion is not fixed length", 6),
        ("[[:foo:]]", "unknown POSIX class name", 3),
        ("[:alpha:]", "POSIX named classes are supported only within a class", 0),
        ("[[.a.]]", "POSIX collating elements are not supported", 1),
        ("(?#abc", "missing ) after comment", 6),
        (r"\c", r"\c at end of pattern", 2),
        (r"\x{100}", r"character value in \x{} or \o{} is too large", 6),
        (r"\x{zz}", r"non-hex character in \x{} (closing brace missing?)", 3),
        (r"\o{400}", r"character value in \x{} or \o{} is too large", 6),
        (r"\u1234", r"PCRE does not support \L, \l, \N{name}, \U, or \u", 1),
        (r"\N{a}", r"PCRE does not support \L, \l, \N{name}, \U, or \u", 1),
        ("(?(2)a)", "reference to non-existent subpattern", 5),
        ("(?(", "assertion expected after (?( or (?(?C)", 3),
        ("(?i:a", "missing )", 5),
        ("a|*", "nothing to repeat", 2),
        (r"[a-\d]", "invalid range in character class", 4),
        (r"[z-\x41]", "range out of order in character class", 6),
        (r"\400", r"octal value is greater than \377 in 8-bit non-UTF-8 mode", 3),
        (r"\k", r"\k is not followed by a braced, angle-bracketed, or quoted name", 1),
        (r"\k<n>", "reference to non-existent subpattern", 4),
        (r"\g{1}", "reference to non-existent subpattern", 5),
        (r"\g{-1}", "reference to non-existent subpattern", 5),
        ("((((a", "missing )", 5),
        ("(?P=n)", "reference to non-existent subpattern", 5),
        ("(?<n-a>x)", "syntax error in subpattern name (missing terminator)", 4),
        ("(?<nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn>x)", "subpattern name is too long (maximum 32 characters)", 41),
        (r"[\N]", r"\N is not supported in a class", 2),
        (r"\o", r"missing opening brace after \o", 1),
        (r"\o{9}", r"non-octal character in \o{} (closing brace missing?)", 3),
        (r"\x{}", r"digits missing in \x{} or \o{}", 3),
        (r"\x{41", r"non-hex character in \x{} (closing brace missing?)", 5),
        ("[a-[:digit:]]", "invalid range in character class", 3),
        ("(?P=)", "subpattern name expected", 4),
        ("(?P=n", "syntax error in subpattern name (missing terminator)", 5),
        (r"\k{}", "subpattern name expected", 3),
        (r"\k<1>", "group name must start with a non-digit", 3),
        (r"\gn", "a numbered reference must not be zero", 1),
        ("(?(1", "malformed number or name after (?(", 4),
        ("(?(0)a)", "invalid condition (?(0)", 5),
        (r"(?#a\)b)", "unmatched parentheses", 7),
        ("(?<=(?:a|bc))d", "lookbehind assertion is not fixed length", 12),
        (r"(?<=\Ra)b", "lookbehind assertion is not fixed length", 7),
        ("(?i)*", "nothing to repeat", 4),
        ("a{0,99999}", "number too big in {} quantifier", 9),
        ("(?x)( ?:a)", "nothing to repeat", 6),
        ("[[:^foo:]]", "unknown POSIX class name", 4),
        ("[=a=]", "POSIX collating elements are not supported", 0),
        ("(?P<é>a)", "syntax error in subpattern name (missing terminator)", 5),
        ("(?(x)a|b)", "reference to non-existent subpattern", 5),
        ("(a)?(?(1)a|b|c)", "conditional group contains more than two branches", 14),
        ("(?(1)a|b|c", "missing )", 10),
        ("(?^)", "unrecognized character after (? or (?-", 2),
    ],
)
def test_a_mistake_is_told_as_pcre_does(pattern: str, reason: str, position: int) -> None:
    with pytest.raises(InvalidPattern) as refusal:
        compile_pattern(pattern)
    escaped = reason.replace("\\", "\\\\")
    assert str(refusal.value) == f'{{"{escaped}",{position}}}'


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        # anywhere in the name
        ("", ["", "a"], []),
        (".*", ["", "a", "\n"], []),
        (".+", ["a", "a\n"], ["", "\n"]),
        ("a", ["a", "bab"], ["A", ""]),
        ("^a$", ["a", "a\n"], ["ab", "ba", "\na"]),
        (r"\Aa\Z", ["a", "a\n"], ["ab"]),
        (r"a\z", ["a"], ["a\n"]),
        (r"^(?!amq\.).*", ["a", "amq", "xamq.a"], ["amq.direct"]),
        (r"^amq\.", ["amq.gen-x"], ["amqx", "xamq."]),
        # repetition: {,2} is plain text, braces may be
        ("a{,2}", ["a{,2}"], ["aa"]),
        ("a{", ["a{"], ["a"]),
        ("^a{2}$", ["aa"], ["a", "aaa"]),
        ("^a{2,}$", ["aa", "aaaa"], ["a"]),
        ("^a++b", ["aab"], ["aaa"]),
        ("^a*+a", [], ["aaa"]),
        ("a{2}+a", ["aaa"], ["aa"]),
        # options hold to the end of their group, in all its branches
        ("(?i)a", ["a", "A"], ["b"]),
        ("x(?i)a", ["xA", "xa"], ["Xa"]),
        ("^(?:x(?i)a|b)c", ["xAc", "Bc"], ["xAC", "BC"]),
        ("(?i)a(?-i)b", ["Ab"], ["AB"]),
        ("(?i-i:a)", ["a"], ["A"]),
        ("(?i)^[^a]", ["b"], ["a", "A"]),
        ("(?s)a.b", ["a\nb"], ["ab"]),
        ("(?m)^b", ["a\nb"], ["ab"]),
        ("(?x)a b #c", ["ab"], ["a b"]),
        ("(?x)^[ a] b", [" b", "ab"], ["a b"]),
        ("((?x) a ) b", ["a b"], ["ab"]),
        ("(?x)^a {2} $", ["aa"], ["a 2"]),
        # classes
        ("[]a]", ["]", "a"], ["b"]),
        ("^[^]a]", ["b"], ["]", "a"]),
        ("[[a]", ["[", "a"], ["]"]),
        ("[a||b&&c~~d-]", ["a", "|", "&", "~", "-", "d"], ["e"]),
        ("[a-]", ["a", "-"], ["b"]),
        (r"[\d-z]", ["1", "-", "z"], ["a"]),
        ("[[:digit:]-z]", ["1", "-", "z"], ["a"]),
        ("[[:alpha:][:^ascii:]]", ["a", "A", "é"], ["1", "_"]),
        ("^[[:^digit:]]$", ["a"], ["1"]),
        ("[[:punct:]]", ["!", "~"], ["a", "1", " "]),
        (r"[\Qa-z\E]", ["a", "-", "z"], ["b"]),
        (r"[\b]", ["\b"], ["b"]),
        (r"^[\w-]+$", ["a-1_"], ["a b"]),
        (r"[\W]", ["."], ["a"]),
        (r"[\x41-\x{43}\104]", ["A", "B", "C", "D"], ["E"]),
        # escapes
        (r"\Qa*\E*", ["a", "a**"], ["*"]),
        (r"\h", [" ", "\t"], ["\n"]),
        (r"\v", ["\n", "\r"], [" "]),
        (r"^\R$", ["\r\n", "\n"], [" "]),
        (r"^\N$", ["a"], ["\n\n"]),
        (r"a\Kb", ["ab"], ["b"]),
        (r"\y\-\_", ["y-_"], []),
        (r"\cA\e\x1\012", ["\x01\x1b\x01\n"], []),
        (r"a\b", ["a", "a b", "ba"], ["ab", "a1"]),
        (r"^\B", ["", "-"], ["a"]),
        # a name is its bytes, and letters are those of Latin-1
        ("^..$", ["é", "ab"], ["a"]),
        (r"^\w", ["é", "日", "a"], ["-"]),
        (r"^\w$", ["a"], ["é"]),
        ("^é$", ["é"], ["É"]),
        # groups and references
        ("(?<=a|bc)d", ["ad", "bcd"], ["cd"]),
        ("(?<!a|bc)d", ["cd", "d"], ["ad", "bcd"]),
        ("(?>a|ab)c", ["ac"], ["abc"]),
        (r"(a|b)\1", ["aa", "bb"], ["ab"]),
        (r"(?<x>a|b)\k<x>(?P=x)\k{x}\g{x}\g1\g{-1}", ["aaaaaaa"], ["aaaaaab"]),
        ("(?'x'a)?(?(x)b|c)", ["ab", "c"], ["b"]),
        (r"(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)\10", ["abcdefghijj"], ["abcdefghij"]),
        (r"a\10", ["a\b"], ["a"]),
        ("a(?#b)c", ["ac"], ["abc"]),
    ],
)
def test_it_matches_what_pcre_matches(pattern: str, matching: list[str], others: list[str]) -> None:
    matches = compile_pattern(pattern)
    assert [name for name in [*matching, *others] if matches(name)] == matching


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("a(?R)?b", '{"(?R) is not supported",1}'),
        ("(a)(?1)", '{"(?1) is not supported",3}'),
        ("(?|a|b)", '{"(?|a|b) is not supported",0}'),
        ("(*ACCEPT)a", '{"(*ACCEPT) is not supported",0}'),
        ("(?U)a", '{"(?U) is not supported",2}'),
        ("(?(?=a)a|b)", '{"(?(?=a) is not supported",0}'),
        (r"\p{L}", r'{"\\p is not supported",0}'),
        (r"a\X", r'{"\\X is not supported",1}'),
        (r"\1(a)", r'{"\\1 is not supported",0}'),
        (r"(a\1)", '{"cannot refer to an open group",5}'),
    ],
)
def test_what_python_cannot_do_is_refused(pattern: str, told: str) -> None:
    with pytest.raises(InvalidPattern) as refusal:
        compile_pattern(pattern)
    assert str(refusal.value) == told


@pytest.mark.parametrize("depth", [251, 100_000])
def test_groups_are_nested_only_so_deep(depth: int) -> None:
    with pytest.raises(InvalidPattern, match="parentheses nested too deeply"):
        compile_pattern("(" * depth + ")" * depth)


def test_two_hundred_nested_groups_are_fine() -> None:
    assert compile_pattern("(" * 200 + "a" + ")" * 200)("a")
