"""Regular expressions as RabbitMQ takes them: PCRE's, brought to Python's `re`.

How this works. A pattern and a name are bytes (UTF-8), as they are in Erlang unless told otherwise. The pattern is read
from left to right and written out anew: what both dialects share as it is, characters as sets of bytes, the rest in
Python's words. What PCRE would refuse is refused with its text and position (those of OTP 25 to 27).

Letters are those of Latin-1 (`\\w`, `\\b`, `[[:alpha:]]`), again as in Erlang; for `(?i)` those of ASCII.
Refused although PCRE knows them: recursion and calls of groups, `(?|`, `(?U)`, `(?J)`, `(?X)`, verbs, callouts,
conditions other than a group's number or name, `\\p` and `\\X`, references to groups that come later
or that they stand in.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from leveret.core.characters import WORD, InvalidPattern, character_class, escaped, written

__all__ = ["InvalidPattern", "compile_pattern"]

GROUPS_DEEP_MAX: Final = 250  # PCRE's limits
REPEATS_MAX: Final = 65_535
GROUP_NAME_BYTES_MAX: Final = 32

# Escapes that match no character, in Python's words. \K changes what was matched, which nobody asks for here.
_PLACES: Final = {
    "b": f"(?:(?<={WORD})(?!{WORD})|(?<!{WORD})(?={WORD}))",
    "B": f"(?:(?<={WORD})(?={WORD})|(?<!{WORD})(?!{WORD}))",
    "A": r"\A",
    "G": r"\A",
    "Z": r"(?=\n?\Z)",
    "z": r"\Z",
    "K": "",
}
_SETS: Final = {"N": r"[^\n]", "C": r"[\x00-\xff]", "R": r"(?>\r\n|[\n-\r\x85])"}
# The mark after `(?` -> what to write there, at each `|`, and at the end. PCRE's alternatives in a lookbehind may
# differ in length, Python's may not: so each becomes a lookbehind of its own.
_GROUPS: Final = {
    "<=": ("(?:(?<=", ")|(?<=", "))"),
    "<!": ("(?:(?<!", ")(?<!", "))"),
    ":": ("(?:", "|", ")"),
    "=": ("(?=", "|", ")"),
    "!": ("(?!", "|", ")"),
    ">": ("(?>", "|", ")"),
}
_BLANKS: Final = re.compile(r"(?:[\t-\r ]|#[^\n]*\n?)*")
_QUANTIFIER: Final = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_NAME: Final = re.compile(r"\w*")
_NUMBER: Final = re.compile(r"\d+")
_RELATIVE: Final = re.compile(r"\{(-?)(\d+)\}|(-?)(\d+)")


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Answers a function that tells whether a name matches: anywhere in it, unless the pattern says more.

    Raises: InvalidPattern
    """
    translator = _Translator(pattern.encode("utf-8", "surrogateescape").decode("latin-1"))
    translation = translator.translate()
    try:
        search = re.compile(translation.encode("latin-1")).search
    except RecursionError:
        raise InvalidPattern("parentheses nested too deeply", translator.at) from None
    except re.error as error:
        if "look-behind" in error.msg:
            raise InvalidPattern("lookbehind assertion is not fixed length", translator.lookbehind_end) from None
        raise InvalidPattern(error.msg, translator.at) from None
    return lambda name: search(name.encode("utf-8", "surrogateescape")) is not None


@dataclass
class _Group:
    """A parenthesis that is open. options: those set in it, each written as a group that ends where this one does."""

    between: str
    closing: str
    is_extended: bool
    is_condition: bool = False
    branches: int = 1
    options: list[str] = field(default_factory=list)


class _Translator:
    """One pattern, whose characters are bytes. lookbehind_end: where the first lookbehind ends."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.lookbehind_end = 0
        self.output: list[str] = []
        self.groups = [_Group("|", "", is_extended=False)]
        self.group_count = 0
        self.numbers_by_name: dict[str, int] = {}
        self.unresolved: list[tuple[int, str, InvalidPattern]] = []
        self.is_extended = False
        self.can_repeat = False

    def translate(self) -> str:
        """Raises: InvalidPattern"""
        while self.at < len(self.source):
            self._next()
        if len(self.groups) > 1:
            raise InvalidPattern("missing )", self.at)
        self._check_references(len(self.source))
        self.output.append(")" * len(self.groups[0].options))
        return "".join(self.output)

    def _check_references(self, end: int) -> None:
        """Those that PCRE looks at before `end`, now that all groups are known. It knows numbers last."""
        for position, reference, refusal in sorted(self.unresolved, key=lambda it: it[0]):
            if position <= end:
                is_missing = self._number(reference) is None
                raise InvalidPattern("reference to non-existent subpattern", position) if is_missing else refusal

    def _next(self) -> None:
        character = self.source[self.at]
        match character:
            case "\\":
                self._escape()
            case "[":
                self._write(*character_class(self.source, self.at))
            case "(":
                self._open()
            case ")":
                self._close()
            case "|":
                self._branch()
            case "*" | "+" | "?":
                self._repeat(character, self.at)
            case "{" if quantifier := _QUANTIFIER.match(self.source, self.at):
                self._count(quantifier)
            case "^" | "$":
                self._write(character, self.at + 1, can_repeat=False)
            case ".":
                self._write(character, self.at + 1)
            case "\t" | "\n" | "\x0b" | "\f" | "\r" | " " | "#" if self.is_extended:
                self._skip_blanks()
            case _:
                self._write(re.escape(character), self.at + 1)

    def _write(self, text: str, end: int, *, can_repeat: bool = True) -> None:
        """What has been read up to `end` comes to this text."""
        self.output.append(text)
        self.at = end
        self.can_repeat = can_repeat

    def _skip_blanks(self) -> None:
        blanks = _BLANKS.match(self.source, self.at)
        assert blanks is not None
        self.at = blanks.end()

    def _unsupported(self, end: int | None = None) -> InvalidPattern:
        """The construct that begins here; without an end: up to the next parenthesis."""
        end = end or self.source.find(")", self.at) + 1 or len(self.source)
        return InvalidPattern(f"{self.source[self.at : end]} is not supported", self.at)

    # -- repetition -------------------------------------------------------------------------------------------------

    def _count(self, quantifier: re.Match[str]) -> None:
        least, most = quantifier.groups()
        for number, start in ((least, quantifier.start(1)), (most, quantifier.start(2))):
            if number and int(number) > REPEATS_MAX:
                read = next(length for length in range(len(number) + 1) if int(number[:length] or 0) > REPEATS_MAX)
                raise InvalidPattern("number too big in {} quantifier", start + read)
        if most and int(most) < int(least):
            raise InvalidPattern("numbers out of order in {} quantifier", quantifier.end() - 1)
        self._repeat(quantifier[0], quantifier.end() - 1)

    def _repeat(self, quantifier: str, last: int) -> None:
        if not self.can_repeat:
            raise InvalidPattern("nothing to repeat", last)
        self.at = last + 1
        if self.is_extended:
            self._skip_blanks()
        greed = self.source[self.at : self.at + 1]
        greed = greed if greed in ("+", "?") else ""
        self._write(quantifier + greed, self.at + len(greed), can_repeat=False)

    # -- groups -----------------------------------------------------------------------------------------------------

    def _branch(self) -> None:
        group = self.groups[-1]
        group.branches += 1
        text = f"{')' * len(group.options)}{group.between}{''.join(group.options)}"
        self._write(text, self.at + 1, can_repeat=False)

    def _close(self) -> None:
        if len(self.groups) == 1:
            self._check_references(self.at)
            raise InvalidPattern("unmatched parentheses", self.at)
        group = self.groups.pop()
        if group.is_condition and group.branches > 2:
            raise InvalidPattern("conditional group contains more than two branches", self.at)
        self.is_extended = group.is_extended
        if group.closing == "))" and not self.lookbehind_end:
            self.lookbehind_end = self.at
        self._write(")" * len(group.options) + group.closing, self.at + 1)

    def _open(self) -> None:
        source, at = self.source, self.at
        if len(self.groups) > GROUPS_DEEP_MAX:
            raise InvalidPattern("parentheses nested too deeply", at)
        if source.startswith("(*", at):
            raise self._unsupported()
        if not source.startswith("(?", at):
            self.group_count += 1
            return self._begin("(", at + 1)
        marks = source[at + 2 : at + 4]
        mark = marks if marks in _GROUPS else marks[:1]
        if mark in _GROUPS:
            opening, between, closing = _GROUPS[mark]
            self._begin(opening, at + 2 + len(mark), between, closing)
        elif mark == "#":
            end = source.find(")", at)
            if end < 0:
                raise InvalidPattern("missing ) after comment", len(source))
            self.at = end + 1
        elif mark in ("<", "'"):
            self._named(at + 3, mark)
        elif marks == "P<":
            self._named(at + 4, "P<")
        elif marks == "P=":
            self._named_reference(at + 4, ")")
        elif mark == "(":
            self._condition(at + 3)
        elif mark == "P" and marks != "P>":
            raise InvalidPattern("unrecognized character after (?P", at + 3)
        elif marks == "P>" or re.match(r"[R&C|+0-9]|-\d", marks):
            raise self._unsupported()
        else:
            self._options(at + 2)

    def _begin(self, opening: str, end: int, between: str = "|", closing: str = ")") -> None:
        self.groups.append(_Group(between, closing, self.is_extended))
        self._write(opening, end, can_repeat=False)

    def _options(self, end: int) -> None:
        """`(?i)` holds up to the end of the group it stands in, also in its other branches; `(?i:...)` is a group."""
        letters = {"": "", "-": ""}
        sign = ""
        is_extended = self.is_extended
        while (letter := self.source[end : end + 1]) not in (":", ")"):
            if letter == "-":
                sign = "-"
            elif letter == "x":
                is_extended = not sign
            elif letter in ("i", "m", "s"):
                letters[sign] += letter
            elif letter in ("U", "J", "X"):
                raise InvalidPattern(f"(?{letter}) is not supported", end)
            else:
                raise InvalidPattern("unrecognized character after (? or (?-", end)
            end += 1
        on = "".join(sorted(set(letters[""]) - set(letters["-"])))
        opening = f"(?{on}-{letters['-']}:" if letters["-"] else f"(?{on}:"
        if letter == ":":
            self._begin(opening, end + 1)
        else:
            self.groups[-1].options.append(opening)
            self._write(opening, end + 1, can_repeat=False)
        self.is_extended = is_extended

    # -- names and numbers of groups --------------------------------------------------------------------------------

    def _name(self, start: int, terminator: str) -> tuple[str, int]:
        """The name that stands at `start`, and where it ends."""
        name = _NAME.match(self.source, start)
        assert name is not None
        if name[0][:1].isdigit():
            raise InvalidPattern("group name must start with a non-digit", start)
        if not self.source.startswith(terminator, name.end()):
            raise InvalidPattern("syntax error in subpattern name (missing terminator)", name.end())
        return name[0], name.end()

    def _named(self, start: int, opening: str) -> None:
        if opening == "<" and not re.match(r"\w", self.source[start : start + 1]):
            raise InvalidPattern("unrecognized character after (?<", start)
        name, end = self._name(start, "'" if opening == "'" else ">")
        if len(name) > GROUP_NAME_BYTES_MAX:
            raise InvalidPattern("subpattern name is too long (maximum 32 characters)", end)
        if name in self.numbers_by_name:
            raise InvalidPattern("two named subpatterns have the same name", end)
        self.group_count += 1
        self.numbers_by_name[name] = self.group_count
        self._begin("(", end + 1)

    def _named_reference(self, start: int, terminator: str) -> None:
        if self.source.startswith(terminator, start):
            raise InvalidPattern("subpattern name expected", start)
        name, end = self._name(start, terminator)
        self._reference(name, end + 1, end)

    def _condition(self, start: int) -> None:
        opening = self.source[start : start + 1]
        if opening in ("?", "+", "-"):
            raise self._unsupported()
        closing = {"<": ">)", "'": "')"}.get(opening, ")")
        if closing != ")":
            name, end = self._name(start + 1, closing)
        else:
            name_or_number = _NAME.match(self.source, start)
            assert name_or_number is not None
            name, end = name_or_number[0], name_or_number.end()
            if not name:
                raise InvalidPattern("assertion expected after (?( or (?(?C)", start)
            if not self.source.startswith(")", end):
                raise InvalidPattern("malformed number or name after (?(", end)
        end += len(closing)
        if name.isdigit() and int(name) == 0:
            raise InvalidPattern("invalid condition (?(0)", end)
        if name in ("R", "DEFINE") and name not in self.numbers_by_name:
            raise self._unsupported()
        self._begin(f"(?({self._resolved(name, end, end)})", end)
        self.groups[-1].is_condition = True

    def _reference(self, name: str, end: int, position: int) -> None:
        """Of the same text as a group had. position: where PCRE says that there is no such group."""
        self._write(f"(?:\\{self._resolved(name, end, position)})", end)

    def _resolved(self, reference: str, end: int, position: int) -> int:
        number = self._number(reference)
        if number is None:
            self.unresolved.append((position, reference, self._unsupported(end)))
        return number or 0

    def _number(self, reference: str) -> int | None:
        number = self.numbers_by_name.get(reference) or (int(reference) if reference.isdigit() else 0)
        return number if 0 < number <= self.group_count else None

    # -- escapes ----------------------------------------------------------------------------------------------------

    def _escape(self) -> None:
        source, after = self.source, self.at + 2
        letter = source[after - 1 : after]
        if letter in _PLACES:
            self._write(_PLACES[letter], after, can_repeat=False)
        elif letter == "Q":
            end = source.find("\\E", after)
            quoted = source[after : end if end >= 0 else len(source)]
            self._write(re.escape(quoted), after + len(quoted), can_repeat=self.can_repeat or bool(quoted))
        elif letter == "E":
            self.at = after
        elif letter == "k":
            terminator = {"{": "}", "<": ">", "'": "'"}.get(source[after : after + 1])
            if terminator is None:
                text = r"\k is not followed by a braced, angle-bracketed, or quoted name"
                raise InvalidPattern(text, after - 1)
            self._named_reference(after + 1, terminator)
        elif letter == "g":
            self._relative_reference(after)
        elif (number := _NUMBER.match(source, after - 1)) and self._is_reference(number[0]):
            self._reference(number[0], number.end(), len(source))
        elif letter in _SETS and (letter != "N" or not re.match(r"\{(?!\d+(,\d*)?\})", source[after:])):
            self._write(_SETS[letter], after)
        elif letter == "X":
            raise self._unsupported(after)
        else:
            chosen, end = escaped(source, self.at)
            self._write(written(chosen), end)

    def _is_reference(self, number: str) -> bool:
        """A number below 8, or not above that of the groups so far. Others are octal, or plain digits."""
        return number[0] != "0" and int(number) < max(8, self.group_count + 1)

    def _relative_reference(self, start: int) -> None:
        """`\\g1`, `\\g{1}`, `\\g{-1}`, `\\g{name}`."""
        if self.source[start : start + 1] in ("<", "'"):
            raise self._unsupported(start)
        relative = _RELATIVE.match(self.source, start)
        if relative is None and re.match(r"\{\w", self.source[start : start + 2]):
            return self._named_reference(start + 1, "}")
        number = int(relative[2] or relative[4]) if relative is not None else 0
        if relative is None or number == 0:
            raise InvalidPattern("a numbered reference must not be zero", start - 1)
        if relative[1] or relative[3]:
            number = self.group_count + 1 - number
            if number <= 0:
                raise InvalidPattern("reference to non-existent subpattern", relative.end() - 1)
        self._reference(str(number), relative.end(), len(self.source))
