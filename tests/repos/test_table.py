"""Comma-separated values as a table: what is written so, where each record begins, and what is left out."""

from __future__ import annotations

import pytest

from repos.text import table


def cells(text, name="a.csv"):
    made = table.table(text, name)
    return made and [made.head.cells, *(row.cells for row in made.rows)]


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("a,b\n1,2\n", "a.csv", [("a", "b"), ("1", "2")]),
        ("a;b,c\n1,2\n", "A.CSV", [("a;b", "c"), ("1", "2")]),
        ("a;b;c\n1,5;2;3\n", "a.csv", [("a", "b", "c"), ("1,5", "2", "3")]),
        ("a\tb,c\n1\t2\n", "a.tsv", [("a", "b,c"), ("1", "2")]),
        ('"say ""hi""","two\nlines"\r\nx,y\r\n', "a.csv", [('say "hi"', "two\nlines"), ("x", "y")]),
        ("\ufeffa,b\n\n1\n1,2,3\n", "a.csv", [("a", "b", ""), ("1", "", ""), ("1", "2", "3")]),
        ("word\n", "words.csv", [("word",)]),
        ('"a;b;c",d\n1,2\n', "a.csv", [("a;b;c", "d"), ("1", "2")]),
        ("name (a; b; c),age\n1,2\n", "a.csv", [("name (a; b; c)", "age"), ("1", "2")]),
        ('a\t"b\tc"\n1\t2\n', "a.tsv", [("a", "b\tc"), ("1", "2")]),
        ("a,b\n1\r2,3\n", "a.csv", None),
        ('a,b\n"open', "a.csv", None),
        ('"a"b,c\n', "a.csv", None),
        ("\n\n", "a.csv", None),
    ],
)
def test_records_are_those_that_are_written(text, name, found):
    assert cells(text, name) == found


def test_a_record_knows_the_line_it_begins_in():
    made = table.table('a,b\n"x\ny",2\n\n3,4\n', "a.csv")
    assert [row.line for row in made.rows] == [2, 5]


def test_more_rows_or_columns_than_a_page_can_have_are_cut_and_it_is_told():
    long = table.table("a\n" + "1\n" * (table.MAX_ROWS + 1), "a.csv")
    assert long.is_cut and len(long.rows) == table.MAX_ROWS
    assert not table.table("a\n" + "1\n" * table.MAX_ROWS, "a.csv").is_cut
    wide = table.table(",".join("a" * (table.MAX_COLUMNS + 1)) + "\n1\n", "a.csv")
    assert wide.is_cut and {len(row.cells) for row in (wide.head, *wide.rows)} == {table.MAX_COLUMNS}


def test_names_tell_what_is_one():
    assert table.is_table("Data.CSV") and table.is_table("a.tsv")
    assert not table.is_table("csv") and not table.is_table("a.csv.gz")


def test_a_page_shows_a_table_its_source_and_what_is_no_table(alice_client, stored):
    files = {"a.csv": '<b>,"x\ny"\n1,\u202e2\n', "bad.csv": 'a\n"open'}
    oid = stored.commit(files, "One")
    page = alice_client.get(f"/repositories/demo/browse/{oid}/a.csv").content.decode()
    assert '<th scope="col">&lt;b&gt;</th><th scope="col">x\ny</th>' in page
    assert '<tr id="L3"><th scope="row"><a href="#L3">3</a></th><td>1</td><td><span class="invisible"' in page
    source = alice_client.get(f"/repositories/demo/browse/{oid}/a.csv?source").content.decode()
    assert 'id="L2"' in source and "<thead>" not in source and ">Table</a>" in source
    broken = alice_client.get(f"/repositories/demo/browse/{oid}/bad.csv").content.decode()
    assert 'id="L2"' in broken and ">Table</a>" not in broken
