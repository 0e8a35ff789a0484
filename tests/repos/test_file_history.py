"""The versions of one file, and the places that its pages begin at."""

from __future__ import annotations

import json

import pytest

from codeservices.errors import InvalidInput
from repos.git import file_history
from repos.git.file_history import Place
from tests import gitrepo

REFUSAL = InvalidInput("No.", code="InvalidContinuationTokenException")
OID = "1" * 40


@pytest.fixture
def git(tmp_path):
    with gitrepo.create(tmp_path) as made:
        yield made


def history(git, oid: str, path: str, limit: int) -> list[tuple[str, str, tuple[str, ...]]]:
    """(oid, path, children) of all versions, read in pages of `limit` whose places go through text."""
    found = []
    place = file_history.first_place(git, oid, path)
    while place is not None:
        versions, place = file_history.page(git, place, limit)
        found += [(one.commit.oid, one.path, one.child_oids) for one in versions]
        place = Place.loads(place.dumps(), REFUSAL) if place else None
    return found


def test_a_page_walks_no_further_than_its_own_commits(git, monkeypatch):
    oids = [gitrepo.commit(git, {"a": str(number), "b": "1"}) for number in range(30)]
    asked = []
    run = file_history.program.run
    monkeypatch.setattr(file_history.program, "run", lambda *a, **b: asked.append(b.get("input")) or run(*a, **b))
    place = file_history.first_place(git, oids[-1], "a")
    for number in range(3):
        versions, place = file_history.page(git, place, 5)
        assert [one.commit.oid for one in versions] == oids[::-1][5 * number : 5 * number + 5]
    assert asked[-1] == f"{oids[19]}\n".encode()  # the third page begins at its own first commit


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_names_are_literal_and_a_file_renamed_twice_has_one_history(git, limit):
    text = "".join(f"{number}\n" for number in range(20))
    first = gitrepo.commit(git, {"a*": text, "ab": "no pattern"})
    second = gitrepo.commit(git, {"a*": None, "b\nc": text, "ab": "2"})
    third = gitrepo.commit(git, {"b\nc": None, "d": text + "more\n"})
    fourth = gitrepo.commit(git, {"d": "new\n"})
    wanted = [(fourth, "d", ()), (third, "d", (fourth,)), (second, "b\nc", (third,)), (first, "a*", (second,))]
    assert history(git, fourth, "d", limit) == wanted


def test_a_history_with_more_open_ends_than_a_page_can_lead_to_is_refused(git, monkeypatch):
    monkeypatch.setattr(file_history, "MAX_OPEN", 3)
    first = gitrepo.commit(git, {"a": "0"})
    sides = [gitrepo.commit(git, {"a": str(number)}, branch=f"b{number}", parents=[first]) for number in range(1, 6)]
    merge = gitrepo.commit(git, {"a": "all"}, parents=[first, *sides])
    place = file_history.first_place(git, merge, "a")
    with pytest.raises(file_history.TooDivergent):
        file_history.page(git, place, 1)
    assert len(file_history.page(git, place, 10)[0]) == 7


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "[" * 5000,
        json.dumps(["a", {"main": []}, []]),
        json.dumps(["a", {OID: ["x"]}, []]),
        json.dumps([7, {OID: []}, []]),
        json.dumps(["a\0", {OID: []}, []]),
        json.dumps(["\ud800", {OID: []}, []]),
        json.dumps(["a", {OID: []}, [[OID, "a\0", OID]]]),
        json.dumps(["a", {OID: []}, [[OID, "\ud800", OID]]]),
        json.dumps(["a", {OID: [5]}, []]),
        json.dumps(["a", {OID: []}, [[OID, 5, OID]]]),
        json.dumps(["a", {OID: []}, [["--all", "a", OID]]]),
    ],
)
def test_a_text_that_is_no_place_is_refused(text):
    with pytest.raises(InvalidInput, match="No"):
        Place.loads(text, REFUSAL)
