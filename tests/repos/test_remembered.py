"""What was computed from immutable objects is computed once, for each repository by itself."""

from __future__ import annotations

from repos.remembered import remembered
from tests import factories


def test_a_value_is_made_once_for_all_that_it_depends_on(db):
    repository = factories.repository("demo")
    made = []
    for parts in (("a", "b"), ("a", "b"), ("ab", ""), ("a", "b")):
        remembered(repository, "test", *parts, make=lambda: made.append(1) or {"made": len(made)})
    assert len(made) == 2
    assert remembered(repository, "test", "a", "b", make=lambda: {"made": 99}) == {"made": 1}
    assert remembered(repository, "another", "a", "b", make=lambda: {"made": 99}) == {"made": 99}


def test_no_repository_learns_from_another(db):
    demo, other = factories.repository("demo"), factories.repository("other")
    remembered(demo, "test", "a", make=lambda: "its own")
    assert remembered(other, "test", "a", make=lambda: "the other's") == "the other's"


def test_hits_and_what_is_kept_are_told(client, db):
    def told():
        lines = [line for line in client.get("/metrics").content.decode().splitlines() if "remembered" in line]
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[:1] != "#"}

    before = told()
    repository = factories.repository("demo")
    for _ in range(3):
        remembered(repository, "told", "a", make=lambda: b"x" * 1000)
    after = told()
    grown = {key.removeprefix("codeservices_remembered_"): after[key] - before[key] for key in after}
    assert (grown['total{result="miss"}'], grown['total{result="hit"}'], grown["entries"]) == (1, 2, 1)
    assert grown["bytes"] >= 1000
