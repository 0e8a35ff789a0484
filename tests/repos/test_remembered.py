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
