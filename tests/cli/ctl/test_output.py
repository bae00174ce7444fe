"""The forms of an answer: tables, frames, CSV, JSON, Erlang's terms; and how words become a call."""

import pytest

from leveret.cli.ctl import erlang
from leveret.cli.ctl.errors import Failed
from leveret.cli.ctl.output import Done, Options, Rows, Said, printed
from leveret.cli.ctl.program import COMMON, SHORT, parse

ROWS = Rows(
    ("name", "arguments", "durable", "tags"),
    [
        {"name": 'a "b"', "arguments": [["x-n", "signedint", 1]], "durable": True, "tags": ["one", "two"]},
        {"name": "q", "arguments": [], "durable": False, "tags": []},
    ],
)
# All types of a field table, as they come from the broker.
TABLE = [
    ["s", "longstr", 'a"b'], ["n", "signedint", -1], ["b", "bool", True], ["f", "double", 1.5], ["v", "void", None],
    ["t", "table", [["k", "longstr", "v"]]], ["a", "array", [["signedint", 1], ["longstr", "x"]]],
]  # fmt: skip


def form(formatter, **options):
    chosen = {"is_quiet": False, "is_silent": False, "has_headers": True, **options}
    return Options(formatter, **chosen)


@pytest.mark.parametrize(
    ("formatter", "text"),
    [
        ("table", 'name\targuments\tdurable\ttags\na "b"\t[{"x-n",1}]\ttrue\t[one, two]\nq\t[]\tfalse\t[]'),
        (
            "csv",
            '"name","arguments","durable","tags"\n"a ""b""","[{""x-n"",1}]","true","[one, two]"\n"q","[]","false","[]"',
        ),
        (
            "json",
            '[\n{"name":"a \\"b\\"","arguments":[["x-n","signedint",1]],"durable":true,"tags":["one","two"]}\n'
            ',{"name":"q","arguments":[],"durable":false,"tags":[]}\n]',
        ),
        (
            "erlang",
            '[[{name,<<"a \\"b\\"">>},{arguments,[{<<"x-n">>,signedint,1}]},{durable,true},{tags,[one,two]}],\n'
            ' [{name,<<"q">>},{arguments,[]},{durable,false},{tags,[]}]]',
        ),
        (
            "pretty_table",
            "┌───────┬─────────────┬─────────┬────────────┐\n"
            "│ name  │ arguments   │ durable │ tags       │\n"
            "├───────┼─────────────┼─────────┼────────────┤\n"
            '│ a "b" │ [{"x-n",1}] │ true    │ [one, two] │\n'
            "├───────┼─────────────┼─────────┼────────────┤\n"
            "│ q     │ []          │ false   │ []         │\n"
            "└───────┴─────────────┴─────────┴────────────┘",
        ),
    ],
)
def test_rows(formatter, text):
    assert printed(ROWS, form(formatter), "n@h") == text


def test_headers_can_be_left_out():
    rows = Rows(("name",), [{"name": "q"}])
    assert printed(rows, form("table", has_headers=False), "n@h") == "q"
    assert printed(rows, form("table", is_silent=True), "n@h") == "q"
    assert printed(rows, form("table", is_quiet=True), "n@h") == "name\nq"


def test_no_rows():
    """RabbitMQ: of a listing that comes row by row nothing, of others an empty line."""
    assert printed(Rows(("name",), [], is_stream=True), form("table"), "n@h") is None
    assert printed(Rows(("name",), [], is_stream=True), form("json"), "n@h") == "[\n]"
    assert printed(Rows(("name",), []), form("table"), "n@h") == ""
    assert printed(Rows(("name",), []), form("json"), "n@h") == "[]"


def test_texts():
    said = Said("it is so")
    texts = [printed(said, form(formatter), "n@h") for formatter in ("table", "json", "erlang", "string")]
    assert texts == ["it is so", '{"message":"it is so"}', '<<"it is so">>', "it is so"]
    with pytest.raises(Failed):
        printed(said, form("csv"), "n@h")


def test_what_went_well_is_said_in_json_alone():
    assert printed(Done(), form("table"), "n@h") is None
    assert printed(Done(), form("csv"), "n@h") is None
    assert printed(Done(), form("json"), "n@h") == '{"node":"n@h","result":"ok"}'
    assert printed(Done("3 gone"), form("json"), "n@h") == '{"node":"n@h","result":"ok","value":"3 gone"}'
    assert printed(Done("3 gone"), form("table"), "n@h") == "3 gone"


def test_field_tables():
    assert erlang.pairs(TABLE) == (
        '[{"s","a\\"b"},{"n",-1},{"b",true},{"f",1.5},{"v",undefined},{"t",[{"k","v"}]},{"a",[1,"x"]}]'
    )
    assert erlang.term("arguments", TABLE) == (
        '[{<<"s">>,longstr,<<"a\\"b">>},{<<"n">>,signedint,-1},{<<"b">>,bool,true},{<<"f">>,double,1.5},'
        '{<<"v">>,void,undefined},{<<"t">>,table,[{<<"k">>,longstr,<<"v">>}]},'
        '{<<"a">>,array,[{signedint,1},{longstr,<<"x">>}]}]'
    )


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("apply-to", "x", "'apply-to'"), ("", "", "''"), ("name", "", "name"), ("A", "", "'A'"), ("o'k", "", "'o\\'k'")],
)
def test_atoms(name, value, text):
    assert erlang.atom(name) == text


def test_options_may_stand_anywhere_before_the_two_dashes():
    parsed = parse(["-p", "/", "list", "--formatter=csv", "x", "-q", "-t", "-1", "--", "-y"], COMMON, SHORT)
    assert parsed.words == ["list", "x", "-y"]
    assert parsed.options == {"vhost": "/", "formatter": "csv", "quiet": True, "timeout": -1.0}
    assert parsed.wrong == []


def test_wrong_options_are_all_told():
    parsed = parse(["list", "--bogus", "-x", "--timeout", "abc", "--node"], COMMON, SHORT)
    assert parsed.wrong == [("--bogus", ""), ("-x", ""), ("--timeout", "abc"), ("--node", "")]


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e9", "9" * 30, ""])
def test_seconds_are_some_that_can_be_waited(text):
    assert parse([f"--timeout={text}"], COMMON, SHORT).wrong == [("--timeout", text)]


def test_whole_numbers_are_those_the_broker_counts():
    parsed = parse(["-N", str(2**63), "--number", str(2**63 - 1)], {"number": int}, {"N": "number"})
    assert (parsed.options, parsed.wrong) == ({"number": 2**63 - 1}, [("-N", str(2**63))])


@pytest.mark.parametrize(
    ("words", "is_quiet", "wrong"),
    [
        (["--quiet=true"], True, []),
        (["-q=true"], True, []),
        (["--quiet", "--quiet=false"], False, []),
        (["--quiet", "--no-quiet"], False, []),
        (["--no-quiet", "--quiet"], True, []),
        (["--quiet=maybe"], False, [("--quiet", "maybe")]),
        (["--no-node"], False, [("--no-node", "")]),
        (["--no-table-headers"], False, []),
    ],
)
def test_flags_are_set_and_unset_as_in_rabbitmq(words, is_quiet, wrong):
    parsed = parse(words, COMMON, SHORT)
    assert (parsed.options.get("quiet", False), parsed.wrong) == (is_quiet, wrong)


def test_negative_numbers_and_a_dash_are_words():
    assert parse(["a", "-5", "-"], COMMON, SHORT).words == ["a", "-5", "-"]
