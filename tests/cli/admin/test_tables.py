"""Tables as rabbitmqadmin's library draws them (tabled: the pictures in the documentation of its styles)."""

import pytest

from leveret.cli.admin.v2.tables import STYLES, plain_table, table

DRAWN = {
    "modern": """\
╭────┬──────╮
│ id │ name │
├────┼──────┤
│ 1  │ a    │
│ 2  │ b    │
│    │ cc   │
╰────┴──────╯""",
    "sharp": """\
┌────┬──────┐
│ id │ name │
├────┼──────┤
│ 1  │ a    │
│ 2  │ b    │
│    │ cc   │
└────┴──────┘""",
    "ascii": """\
+----+------+
| id | name |
+----+------+
| 1  | a    |
+----+------+
| 2  | b    |
|    | cc   |
+----+------+""",
    "psql": "\n".join([" id | name ", "----+------", " 1  | a    ", " 2  | b    ", "    | cc   "]),
    "markdown": """\
| id | name |
|----|------|
| 1  | a    |
| 2  | b    |
|    | cc   |""",
    "dots": """\
.............
: id : name :
:....:......:
: 1  : a    :
:....:......:
: 2  : b    :
:    : cc   :
:....:......:""",
    "borderless": "\n".join([" id   name ", " 1    a    ", " 2    b    ", "      cc   "]),
}


@pytest.mark.parametrize("style", STYLES)
def test_a_style(style):
    assert table(["id", "name"], [["1", "a"], ["2", "b\ncc"]], style) == DRAWN[style]


def test_without_rows_the_headers_are_left():
    assert table(["id"], [], "modern") == "╭────╮\n│ id │\n╰────╯"


def test_a_title_is_a_row_across_all_columns():
    assert table(["key", "value"], [["a", "1"]], "modern", "Overview") == (
        "╭─────┬───────╮\n│ Overview    │\n├─────┼───────┤\n│ key │ value │\n│ a   │ 1     │\n╰─────┴───────╯"
    )


def test_a_title_that_is_wider_makes_the_columns_wider():
    assert table(["k", "v"], [["a", "1"]], "markdown", "A long title") == (
        "| A long title |\n|-------|------|\n| k     | v    |\n| a     | 1    |"
    )


def test_for_scripts_there_are_no_headers_and_a_row_is_a_line():
    assert plain_table(["id", "name"], [["1", "a"], ["23", "b\ncc"]]) == "1   a    \n23  b,cc "
    assert plain_table(["id", "name"], []) == ""


def test_for_scripts_a_title_goes_and_the_first_header_stays():
    """rabbitmqadmin drops one row, and that is the title; what is left spans the columns as the title did."""
    assert plain_table(["key", "value"], [["a", "1"]], "Overview") == "key  \na  1 "
