"""Rows of a folder, made without a template: what they say, and that nothing in them is markup of somebody else's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from repos.git import tree
from repos.templatetags.folder import folder_rows

HOSTILE = '"><script>alert(1)</script>'
OID = "ab" * 20


class Commit(NamedTuple):
    oid: str
    subject: str
    when_at: datetime | None


class Row(NamedTuple):
    entry: tree.Entry
    name: str
    path: str
    target: str = ""
    commit: Commit | None = None


def row(kind: tree.EntryKind, name: str, target: str = "", commit: Commit | None = None) -> Row:
    return Row(tree.Entry(name, name, "100644", kind, OID), name, name, target, commit)


def test_each_kind_of_entry_is_told_by_its_picture_and_leads_on():
    page = folder_rows([row("tree", "src"), row("blob", "a b.txt"), row("symlink", "up", "../x")], "demo", "main")
    assert page.count("<tr ") == 3
    assert '<tr data-kind="tree"><td><a class="entry" href="/repositories/demo/browse/main/src">' in page
    assert 'href="/repositories/demo/browse/main/a%20b.txt"' in page
    assert 'aria-label="Symbolic link"' in page
    assert "→ ../x</span>" in page


def test_a_submodule_tells_its_commit():
    page = folder_rows([row("submodule", "lib")], "demo", "main")
    assert f'lib @ <code class="oid" title="{OID}">abababab</code>' in page


def test_the_last_commit_stands_beside_its_entry():
    commit = Commit(OID, "x" * 200, datetime(2020, 1, 2, tzinfo=UTC))
    page = folder_rows(
        [row("blob", "a", commit=commit), row("blob", "b", commit=Commit(OID, "", None))], "demo", "main"
    )
    assert f'href="/repositories/demo/commit/{OID}">{"x" * 99}…</a>' in page
    assert 'title="2020-01-02 00:00:00 UTC"' in page
    assert "(no message)</a>" in page
    assert ">no date</td>" in page


def test_names_targets_and_messages_are_text():
    commit = Commit(OID, HOSTILE, None)
    page = folder_rows([row("symlink", HOSTILE, HOSTILE, commit), row("blob", "\udcff\u202e")], "demo", HOSTILE)
    assert "<script" not in page
    assert '""' not in page
    assert r"\xff\u202e" in page
