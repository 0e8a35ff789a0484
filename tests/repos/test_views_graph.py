"""The graph page: rows, refs and lines at any depth, the choice of branches, ways to a commit, and odd repositories."""

from __future__ import annotations

import fcntl
import os
import re
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest

from repos.graph import choice, kept, pages
from repos.models import Repository
from tests import factories

GRAPH = "/repositories/demo/graph"
ROWS = "/repositories/demo/graph/rows"
HX = {"HX-Request": "true"}
HOSTILE = "<script>alert(1)</script>"


def text(answer):
    return answer.content.decode()


def shown_oids(answer):
    return re.findall(r'<tr id="c-([0-9a-f]{40})"', text(answer))


def tagged(stored, name, oid):
    """An annotated tag."""
    tag = stored.raw("tag", f"object {oid}\ntype commit\ntag {name}\ntagger A <a@x> 1 +0000\n\nOne".encode())
    stored.git("update-ref", f"refs/tags/{name}", tag)


@pytest.fixture
def long(stored):
    """demo with 250 commits on main."""
    oids: list[str] = []
    for number in range(250):
        oids.append(stored.commit({}, f"Change {number:03}", oids[-1:]))
    return oids


@pytest.fixture
def merged(stored):
    """demo with a branch that was merged, a tag and a branch that was not."""
    root = stored.commit({"a": "1"}, "Root")
    side = stored.commit({"a": "2"}, "On the side", [root], branch="topic")
    trunk = stored.commit({"a": "3"}, "On the trunk", [root])
    merge = stored.commit({"a": "4"}, "Merge topic", [trunk, side])
    tagged(stored, "v1", trunk)
    return {"root": root, "side": side, "trunk": trunk, "merge": merge}


# ---- rows -----------------------------------------------------------------------------------------------------------


def test_rows_have_lanes_refs_people_and_links_to_parents(alice_client, merged):
    answer = alice_client.get(GRAPH)
    page = text(answer)
    oids = shown_oids(answer)
    assert set(oids) == set(merged.values())
    assert oids[0] == merged["merge"]
    assert oids[-1] == merged["root"]
    assert page.count('aria-hidden="true"><svg') == 4
    assert '<span class="visually-hidden">default branch </span>main</a>' in page
    assert '<span class="visually-hidden">branch </span>topic</a>' in page
    assert '<span class="visually-hidden">tag </span>v1</a>' in page
    for parent in (merged["trunk"], merged["side"]):
        assert f'data-to="{oids.index(parent)}" href="{GRAPH}?commit={parent}#c-{parent}"' in page
    assert "Merge topic" in page
    assert "4 commits" in page
    assert 'rel="next"' not in page


def end_of_what_is_made_meanwhile() -> None:
    for thread in threading.enumerate():
        if thread.name == kept.WORKER_NAME:
            thread.join()


def test_the_top_does_not_wait_for_the_index_and_its_later_pages_have_it_made(alice_client, long, monkeypatch):
    repository = Repository.objects.get(name="demo")
    top = alice_client.get(GRAPH)
    assert shown_oids(top) == long[:149:-1]
    assert top.context["window"].total is None
    assert not list(kept.settings.GRAPH_CACHE_ROOT.glob(f"{repository.repository_id}/*.graph"))
    assert 'href="?from=100"' in text(top)
    second = alice_client.get(GRAPH, {"from": "100"})
    assert shown_oids(second) == long[149:49:-1]
    assert 'href="?from=200"' in text(second)
    assert second.context["window"].total is None
    end_of_what_is_made_meanwhile()
    monkeypatch.setattr(kept, "_build", lambda *_: pytest.fail("the index is there"))
    last = alice_client.get(GRAPH, {"from": "200"})
    assert shown_oids(last) == long[49::-1]
    assert 'rel="next"' not in text(last)
    assert "250 commits" in text(last)
    again = alice_client.get(GRAPH)
    assert shown_oids(again) == shown_oids(top)
    assert shown_oids(alice_client.get(ROWS, {"from": "100"})) == shown_oids(second)
    assert shown_oids(alice_client.get(GRAPH, {"from": "999999"})) == long[:1]


def test_rows_are_the_same_before_and_after_the_index_is_there(alice_client, merged, monkeypatch):
    monkeypatch.setattr("repos.views.graph.PAGE_SIZE", 2)
    pages_of = [alice_client.get(GRAPH, {"from": first}).context["window"] for first in ("0", "2", "99")]
    end_of_what_is_made_meanwhile()
    for first, before in zip(("0", "2", "3"), pages_of, strict=True):
        after = alice_client.get(GRAPH, {"from": first}).context["window"]
        assert after.total == 4
        assert (before.first, before.rows, before.has_more) == (after.first, after.rows, after.has_more)
    assert pages_of[1].total == 4  # git has told all


def test_a_page_below_the_top_waits_for_the_index(alice_client, long, monkeypatch):
    monkeypatch.setattr(pages, "TOP_ROWS", 100)
    deep = alice_client.get(GRAPH, {"from": "100"})
    assert shown_oids(deep) == long[149:49:-1]
    assert "250 commits" in text(deep)


def test_what_can_not_be_made_meanwhile_is_told_to_the_next_who_needs_it(alice_client, long, monkeypatch):
    with monkeypatch.context() as short:
        short.setattr(kept, "TIMEOUT_SECONDS", 0.01)
        assert alice_client.get(GRAPH, {"from": "100"}).status_code == 200
        end_of_what_is_made_meanwhile()
        assert alice_client.get(ROWS).status_code == 503
    assert alice_client.get(ROWS).status_code == 200


def test_a_fragment_tells_where_it_stands(alice_client, long):
    fragment = text(alice_client.get(ROWS, {"from": "40"}))
    state = re.search(r'data-state="(\w+)"', fragment)[1]
    assert fragment.strip().startswith(f'<table data-first="40" data-total="250" data-state="{state}"><tbody>')
    assert f'data-state="{state}"' in text(alice_client.get(GRAPH))
    found = text(alice_client.get(ROWS, {"find": "change 007"}))
    assert 'data-first="200"' in found
    assert 'data-target="242"' in found


def test_a_push_is_seen_at_once_and_leaves_one_index(alice_client, stored, long):
    assert shown_oids(alice_client.get(ROWS, {"from": "200"})) == long[49::-1]
    new = stored.commit({}, "New", long[-1:])
    assert shown_oids(alice_client.get(ROWS))[:2] == [new, long[-1]]
    assert shown_oids(alice_client.get(ROWS, {"from": "200"})) == long[50::-1]
    repository = Repository.objects.get(name="demo")
    assert len(list(kept.settings.GRAPH_CACHE_ROOT.glob(f"{repository.repository_id}/*.graph"))) == 1


def test_a_damaged_index_is_made_anew(alice_client, long):
    alice_client.get(ROWS)
    repository = Repository.objects.get(name="demo")
    [path] = kept.settings.GRAPH_CACHE_ROOT.glob(f"{repository.repository_id}/*.graph")
    path.write_bytes(path.read_bytes()[:-9])
    assert shown_oids(alice_client.get(ROWS, {"from": "200"})) == long[49::-1]
    assert path.exists()


def test_markup_in_a_message_a_name_or_a_branch_stays_text(alice_client, stored):
    oid = stored.commit({}, f'{HOSTILE} " onload="', author=f"{HOSTILE.replace('<', '').replace('>', '')} <a@x>")
    stored.git("update-ref", 'refs/heads/"><b>', oid)
    page = text(alice_client.get(GRAPH))
    assert HOSTILE not in page
    assert "<b>" not in page
    assert 'title="&lt;script&gt;' in page


# ---- ways to a commit -----------------------------------------------------------------------------------------------


def test_a_commit_is_found_by_what_one_knows_of_it(alice_client, stored, long):
    oid = long[20]
    tagged(stored, "v2", oid)
    stored.git("update-ref", "refs/heads/old", oid)
    for wanted in (oid, oid[:8], f" {oid[:9].upper()}", "change  020", "v2", "old"):
        answer = alice_client.get(GRAPH, {"find": wanted})
        assert answer.status_code == 302, wanted
        assert answer["Location"] == f"{GRAPH}?from=200#c-{oid}", wanted


def test_a_link_to_a_parent_or_child_leads_to_the_page_that_has_it(alice_client, long):
    answer = alice_client.get(GRAPH, {"commit": long[100], "all": "1"})
    assert answer["Location"] == f"{GRAPH}?all=1&from=100#c-{long[100]}"
    answer = alice_client.get(GRAPH, {"child": long[100], "branch": "main"})
    assert answer["Location"] == f"{GRAPH}?branch=main&from=100#c-{long[101]}"


REFUSED = [
    ({"find": "no such thing"}, 404, "Nothing in this graph is called “no such thing”."),
    ({"find": "."}, 404, "Nothing in this graph is called “.”."),
    ({"find": "0000"}, 404, "Nothing in this graph is called “0000”."),
    ({"commit": "0" * 40}, 404, "does not show the commit"),
    ({"commit": "--all"}, 404, "does not show the commit “--all”"),
    ({"child": "tip"}, 404, "does not show the commit"),
    ({"from": "-1"}, 400, "“-1” is no row of the graph"),
    ({"from": "9" * 30}, 400, "is no row of the graph"),
    ({"from": "²"}, 400, "is no row of the graph"),
    ({"branch": [f"b{number}" for number in range(101)]}, 400, "101 branches are chosen"),
]


def test_what_is_not_there_is_said_in_words(alice_client, merged):
    for parameters, status, words in REFUSED:
        for address in (GRAPH, ROWS):
            answer = alice_client.get(address, parameters)
            assert answer.status_code == status, parameters
            assert words in text(answer), parameters


def test_the_newest_commit_has_no_child(alice_client, merged):
    answer = alice_client.get(GRAPH, {"child": merged["merge"]})
    assert answer.status_code == 404
    assert "is a child of" in text(answer)


def test_a_search_that_takes_too_long_ends_with_a_sentence(alice_client, merged, monkeypatch):
    monkeypatch.setattr(pages, "MESSAGE_SECONDS", 0.0)
    answer = alice_client.get(GRAPH, {"find": "no such thing"})
    assert answer.status_code == 503
    assert "took longer" in text(answer)


# ---- branches -------------------------------------------------------------------------------------------------------


@pytest.fixture
def many(stored):
    """demo with 80 branches besides main, each with a commit of its own."""
    root = stored.commit({}, "Root")
    for number in range(80):
        stored.commit({}, f"On {number}", [root], branch=f"b{number:02}")
    return root


def test_of_many_branches_the_default_one_is_shown_until_somebody_chooses(alice_client, many):
    answer = alice_client.get(GRAPH)
    assert shown_oids(answer) == [many]
    assert "This is main alone, as there are 81 branches." in text(answer)
    assert len(shown_oids(alice_client.get(GRAPH, {"all": "1"}))) == 81
    some = alice_client.get(GRAPH, {"branch": ["b07", "b03"]})
    assert len(shown_oids(some)) == 3
    assert "2 branches" in text(some)
    assert 'name="branch" value="b03" checked' in text(some)


def test_35_branches_a_page_are_offered_and_the_chosen_ones_of_other_pages_stay_chosen(alice_client, many):
    page = text(alice_client.get(GRAPH, {"branch": "b79", "page": "1", "q": ""}, headers=HX))
    assert page.count('type="checkbox"') == 35
    assert '<input type="hidden" name="branch" value="b79">' in page
    assert "1–35 of 81" in page
    last = text(alice_client.get(GRAPH, {"branch": "b79", "page": "3"}, headers=HX))
    assert 'value="b79" checked' in last
    assert last.count('type="checkbox"') == 11
    found = text(alice_client.get(GRAPH, {"branch": "b79", "q": "B7"}, headers=HX))
    assert found.count('type="checkbox"') == 10
    assert "No branch has “zz” in its name." in text(alice_client.get(GRAPH, {"q": "zz"}, headers=HX))


def test_the_form_of_the_choice_leads_to_a_short_address(alice_client, many):
    answer = alice_client.get(GRAPH, {"branch": ["b01", "b02"], "q": "b0", "show": "1"})
    assert answer["Location"] == f"{GRAPH}?branch=b01&branch=b02"
    assert alice_client.get(GRAPH, {"q": "", "show": "1"})["Location"] == GRAPH
    without_scripts = text(alice_client.get(GRAPH, {"branch": "b01", "page": "2"}))
    assert 'class="dropdown graph-choice" open' in without_scripts


def test_a_branch_that_is_gone_is_named_and_the_others_are_shown(alice_client, many):
    answer = alice_client.get(GRAPH, {"branch": ["gone", "b01"]})
    assert len(shown_oids(answer)) == 2
    assert "no such branch points at a commit: gone" in text(answer)
    assert len(shown_oids(alice_client.get(GRAPH, {"branch": "gone"}))) == 1


# ---- odd repositories -----------------------------------------------------------------------------------------------


def test_an_empty_repository_says_what_a_graph_is(alice_client, stored):
    assert "No commits on a branch yet" in text(alice_client.get(GRAPH))
    assert alice_client.get(ROWS).status_code == 400


def test_branches_that_point_at_tags_trees_and_blobs(alice_client, stored):
    oid = stored.commit({"a": "1"}, "Tagged")
    tag = stored.raw("tag", f"object {oid}\ntype commit\ntag t\n\nno tagger, no date".encode())
    heads = stored.path / "refs" / "heads"
    for name, target in (
        ("tagged", tag),
        ("blob", stored.blob("x")),
        ("tree", stored.tree({"a": "1"})),
        ("gone", "1" * 40),
    ):
        (heads / name).write_text(f"{target}\n")
    answer = alice_client.get(GRAPH)
    assert shown_oids(answer) == [oid]
    page = text(answer)
    assert '<span class="visually-hidden">branch </span>tagged</a>' in page
    assert page.count("not a commit") == 3
    assert "no such branch points at a commit: blob" in text(alice_client.get(GRAPH, {"branch": "blob"}))


def test_an_octopus_two_roots_and_dates_at_the_ends_of_time(alice_client, stored):
    roots = [stored.commit({}, f"Root {number}", branch=f"r{number}") for number in range(2)]
    sides = [stored.commit({}, f"Side {number}", [roots[number % 2]], branch="side") for number in range(66)]
    tree = stored.tree({})
    parents = "".join(f"parent {oid}\n" for oid in sides)
    people = "author A <a@x> 0 +0000\ncommitter A <a@x> 4294967295 +0000\n"
    octopus = stored.raw("commit", f"tree {tree}\n{parents}{people}\nOctopus".encode())
    last = stored.raw("commit", f"tree {tree}\nparent {octopus}\n\nNobody \xff".encode("latin-1"))
    stored.git("update-ref", "refs/heads/main", last)
    for address in (GRAPH, ROWS):
        answer = alice_client.get(address)
        assert len(shown_oids(answer)) == 70
        page = text(answer)
        assert "+63 parents" in page
        assert "no author" in page
        assert "↑ child" in page
        assert "This line goes on at " in page
        widths = {int(one) for one in re.findall(r'<svg viewBox="0 0 (\d+) ', page)}
        assert max(widths) <= 12 * 40


def test_names_that_are_no_utf8_can_be_chosen(alice_client, stored):
    oid = stored.commit({}, "One")
    (stored.path / "packed-refs").write_bytes(b"%s refs/heads/caf\xe9\n" % oid.encode())
    page = text(alice_client.get(GRAPH))
    assert r"caf\xe9" in page
    answer = alice_client.get(GRAPH, {"branch": r"caf\xe9"})
    assert shown_oids(answer) == [oid]
    assert r'value="caf\xe9" checked' in text(answer)


def test_a_shallow_history_ends_where_it_was_cut(alice_client, stored):
    oids: list[str] = []
    for number in range(4):
        oids.append(stored.commit({}, f"Change {number}", oids[-1:]))
    (stored.path / "shallow").write_text(f"{oids[2]}\n")
    assert shown_oids(alice_client.get(GRAPH)) == shown_oids(alice_client.get(ROWS)) == [oids[3], oids[2]]


def test_a_graph_that_is_cut_says_where_it_ends(alice_client, stored, long, monkeypatch, tmp_path):
    from repos.graph.build import build
    from repos.graph.index import write

    repository = Repository.objects.get(name="demo")

    def build_short(repository, chosen, _):
        write(kept._path(repository, chosen), build(repository.git, list(chosen.tips), max_rows=120))

    monkeypatch.setattr(kept, "_build", build_short)
    alice_client.get(ROWS)
    page = text(alice_client.get(GRAPH, {"from": "100"}))
    assert "The graph ends here, at its 120 newest commits." in page
    assert f'title="{long[129]}: below the end of this graph"' in page
    assert repository.name == "demo"


# ---- what is kept ---------------------------------------------------------------------------------------------------


def test_indexes_are_bounded_and_the_one_used_longest_ago_leaves(db, settings, tmp_path):
    settings.GRAPH_CACHE_ROOT, settings.GRAPH_CACHE_BYTES = tmp_path, 250
    for age, name in enumerate("abcd"):
        path = tmp_path / name / "all.x.graph"
        path.parent.mkdir()
        path.write_bytes(b"x" * 100)
        os.utime(path, (time.time() - age, time.time() - age))
    kept.make_room()
    assert sorted(path.parent.name for path in tmp_path.glob("*/*.graph")) == ["a", "b"]
    settings.GRAPH_CACHE_BYTES = 0
    kept.make_room()
    assert [path.parent.name for path in tmp_path.glob("*/*.graph")] == ["a"]


@pytest.fixture
def graphs(stored, settings, tmp_path):
    """The empty folder of a repository's indexes."""
    stored.commit({}, "One")
    settings.GRAPH_CACHE_ROOT = tmp_path / "graphs"
    folder = settings.GRAPH_CACHE_ROOT / str(Repository.objects.get(name="demo").repository_id)
    folder.mkdir(parents=True)
    return folder


@contextmanager
def locked(*paths):
    with ExitStack() as opened:
        for path in paths:
            fcntl.flock(opened.enter_context(path.open("w")), fcntl.LOCK_EX)
        yield


def test_who_waits_too_long_for_a_place_or_for_the_same_repository_is_told_so(alice_client, graphs, monkeypatch):
    monkeypatch.setattr(kept, "PATIENCE_SECONDS", 0.05)
    places = [graphs.parent / f"place-{number}.lock" for number in range(kept.AT_ONCE)]
    for taken in (places, [graphs / "lock"]):
        with locked(*taken):
            answer = alice_client.get(ROWS)
            assert answer.status_code == 503
            assert "this one has to wait" in text(answer)
            assert alice_client.get(GRAPH).status_code == 200


def test_one_repositorys_index_does_not_wait_for_anothers(alice_client, graphs):
    other = graphs.parent / "other"
    other.mkdir()
    with locked(other / "lock", graphs.parent / "place-0.lock"):
        assert alice_client.get(ROWS).status_code == 200


def test_what_a_killed_child_had_begun_to_write_is_removed(alice_client, graphs):
    (graphs / "all.x.graph.4711").write_bytes(b"half")
    assert alice_client.get(ROWS).status_code == 200
    assert [one.suffix for one in graphs.iterdir() if one.name != "lock"] == [".graph"]


def test_a_history_that_takes_too_long_or_can_not_be_walked_is_told_so(alice_client, stored, monkeypatch):
    stored.commit({}, "One")
    monkeypatch.setattr(kept, "TIMEOUT_SECONDS", 0.01)
    answer = alice_client.get(ROWS)
    assert answer.status_code == 503
    assert "too long to be laid out" in text(answer)
    monkeypatch.undo()
    repository = Repository.objects.get(name="demo")
    lost = choice.Choice((), True, True, (), ("1" * 40,))
    with pytest.raises(kept.GraphNotReady, match="missing or damaged"):
        kept.make(repository, lost)


# ---- who may --------------------------------------------------------------------------------------------------------


def test_readers_see_it_and_outsiders_learn_nothing(bob_client, carol_client, client, merged):
    factories.repository("other")
    for address in (GRAPH, ROWS):
        assert bob_client.get(address).status_code == 200
        assert carol_client.get(address).status_code == 403
        assert client.get(address).status_code == 302
        assert bob_client.post(address).status_code == 405
    assert merged["root"] not in text(carol_client.get(GRAPH))
    assert bob_client.get("/repositories/none/graph").status_code == 404
    assert bob_client.get("/repositories/other/graph", {"commit": merged["root"]}).status_code == 200


def test_every_page_of_a_repository_leads_to_its_graph(alice_client, merged):
    assert f'<a href="{GRAPH}">' in text(alice_client.get("/repositories/demo/branches"))
    assert f'<a href="{GRAPH}" aria-current="page">' in text(alice_client.get(GRAPH))
