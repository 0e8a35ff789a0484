"""Replacement refs and grafts: they change nothing of what the server says about a history, on whatever page."""

from __future__ import annotations

import pytest

from repos.diff import changes
from repos.git import blame, divergence, last_commits, log, program
from repos.graph import build


@pytest.fixture
def history(made):
    """Three commits, of which somebody gave the newest other parents and another message in two ways."""
    first = made.commit({"old": "1"}, "First")
    second = made.commit({"old": "1", "kept": "2"}, "Second", [first])
    third = made.commit({"old": "1", "kept": "2", "new": "3"}, "Third", [second])
    return [third, second, first]


def replaced(made, history) -> None:
    third, _, first = history
    other = made.commit({"old": "1", "new": "other"}, "Somebody else's words", [first])
    made.git("update-ref", f"refs/replace/{third}", other)


def grafted(made, history) -> None:
    third, _, first = history
    (made.repository.path / "info").mkdir(exist_ok=True)
    (made.repository.path / "info/grafts").write_text(f"{third} {first}\n")


def told(repository, oids) -> list[object]:
    """What pages are made of: history of all and of a path, search, graph, folders, blame, changes."""
    tip = oids[0]
    every = [("", False, ""), ("kept", False, ""), ("new", True, ""), ("", False, "Third")]
    return [
        *(
            [
                (row.oid, row.parent_oids, row.subject)
                for row in log.commits(
                    repository, tip, path=path, follows=follows, search=log.Search(message=message)
                ).commits
            ]
            for path, follows, message in every
        ),
        bytes(build.build(repository, [tip], max_rows=10).oids).hex(),
        last_commits.last_commits(repository, tip, "", ("kept", "new", "old")),
        [group.origin and group.origin.oid for group in blame.groups(repository, tip, "new", first=1, last=1)],
        [change.new_path for change in changes.changes(repository, oids[1], tip).files],
        divergence.ahead_behind(repository, oids[-1], tip, timeout_seconds=30),
    ]


@pytest.mark.parametrize("change", [replaced, grafted])
@pytest.mark.parametrize("has_graph", [False, True])
def test_no_page_follows_them(made, history, change, has_graph):
    before = told(made.repository, history)
    change(made, history)
    if has_graph:
        program.run(made.repository, ["commit-graph", "write", "--reachable", "--changed-paths"])
        assert (made.repository.path / "objects/info/commit-graph").exists()
    assert told(made.repository, history) == before
