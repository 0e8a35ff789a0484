"""The commit-graph's filters of changed paths, as this machine's git writes them."""

from __future__ import annotations

import contextlib

from repos.git import commit_graph
from repos.git.changed_paths import Paths

NAMES = [f"{folder}file-{number}.txt" for folder in ("", "a/", "a/deep/folder/of/names/", "b/") for number in range(12)]


def test_a_filter_denies_no_path_that_was_changed_and_most_others(made):
    oids = []
    files = dict.fromkeys(NAMES, "0")
    for number, name in enumerate([*NAMES, "last"]):
        oids.append(made.commit(files, f"{number}", oids[-1:]))
        files = files | {name: "1"}
    made.git("commit-graph", "write", "--changed-paths", "--stdin-commits", given=f"{oids[-1]}\n".encode())
    affirmed = 0
    with contextlib.closing(commit_graph.Commits(made.repository)) as graph:
        for oid, changed in zip(oids[1:], NAMES, strict=True):
            found = graph.changed_paths(oid)
            for path in (changed, changed.partition("/")[0], changed.rpartition("/")[0] or changed):
                assert Paths([b"other", path.encode()]).may_be_in(found), (changed, path)
            affirmed += sum(Paths([name.encode()]).may_be_in(found) for name in NAMES if name != changed)
    assert affirmed < len(NAMES) ** 2 * 0.05


def test_what_is_not_known_may_have_changed(made):
    first = made.commit({"a": "1", "na\u00efve": "1"}, "first")
    made.git("commit-graph", "write", "--stdin-commits", given=f"{first}\n".encode())
    with contextlib.closing(commit_graph.Commits(made.repository)) as graph:
        assert graph.changed_paths(first) is None
    assert Paths([b"a"]).may_be_in(None)
    second = made.commit({"a": "2"}, "second", [first])
    made.git("commit-graph", "write", "--changed-paths", "--stdin-commits", given=f"{second}\n".encode())
    with contextlib.closing(commit_graph.Commits(made.repository)) as graph:
        assert not Paths([b"b"]).may_be_in(graph.changed_paths(second))
        assert Paths(["b\u00e9".encode()]).may_be_in(graph.changed_paths(second)), "versions of git differ there"
        assert graph.changed_paths("0" * 40) is None
