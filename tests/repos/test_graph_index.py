"""The index of a whole graph: the same rows as a sweep from the top gives, kept when the tips move, damaged, cut."""

from __future__ import annotations

import random

import pytest

from repos.graph.build import build
from repos.graph.index import INTERVAL, Contents, Damaged, Index, write
from repos.graph.lanes import State, Sweep
from tests import gitrepo


@pytest.fixture(scope="module")
def tangled(tmp_path_factory):
    """A history of 700 commits on 12 branches that merge into each other, with two roots and an octopus merge."""
    repository = gitrepo.create(tmp_path_factory.mktemp("tangled"))
    import_history(repository, 700, seed=3)
    yield repository
    repository.close()


def import_history(repository, count: int, *, seed: int) -> None:
    rng = random.Random(seed)
    tips: dict[str, int] = {}
    stream = ["blob\nmark :100000\ndata 1\nx\n"]
    for number in range(1, count + 1):
        branch = f"b{rng.randrange(12)}" if number > 1 else "main"
        at = gitrepo.START + 60 * number
        stream.append(f"commit refs/heads/{branch}\nmark :{number}\ncommitter C <c@x> {at} +0000\ndata 4\nwork\n")
        parents = [tips[branch]] if branch in tips else [tips["main"]] if number > 1 and number != 350 else []
        if rng.random() < 0.3:
            parents += rng.sample(sorted(tips.values()), min(len(tips), rng.choice([1, 1, 1, 5])))
        parents = list(dict.fromkeys(parents))
        stream += [f"{'merge' if index else 'from'} :{parent}\n" for index, parent in enumerate(parents)]
        stream.append(f"M 100644 :100000 f{number}\n")
        tips[branch] = number
    gitrepo.git(repository, "fast-import", "--quiet", "--force", input="".join(stream))


def tips_of(repository) -> list[str]:
    return sorted(set(gitrepo.git(repository, "for-each-ref", "--format=%(objectname)", "refs/heads").split()))


def history_of(repository) -> list[tuple[str, list[str]]]:
    lines = gitrepo.git(repository, "rev-list", "--date-order", "--parents", "--branches").splitlines()
    return [(oid, parents) for oid, *parents in map(str.split, lines)]


def swept(commits):
    sweep = Sweep(State())
    return [sweep.add(oid, parents) for oid, parents in commits]


def indexed(tmp_path, repository, base=None, *, max_rows=10_000) -> Index:
    path = tmp_path / f"{random.getrandbits(64):x}.graph"
    write(path, build(repository, tips_of(repository), base, max_rows=max_rows))
    return Index(path)


def rows_of(index: Index, page: int = 100):
    return [row for first in range(0, index.rows, page) for row in index.window(first, page)[0]]


def test_a_window_at_any_depth_has_the_rows_of_the_whole_sweep(tangled, tmp_path):
    commits = history_of(tangled)
    whole = swept(commits)
    with indexed(tmp_path, tangled) as index:
        assert index.rows == len(commits) == 700
        assert not index.is_cut
        assert rows_of(index) == whole
        for first in (0, 1, INTERVAL - 1, INTERVAL, INTERVAL + 1, 640, 699):
            rows, numbers = index.window(first, 37)
            assert rows == whole[first : first + 37]
            assert all(numbers[line.oid] == index.row_of(line.oid) for row in rows for line in row.lines)
            assert all(numbers[cut.oid] == index.row_of(cut.oid) for row in rows for cut in row.cut_lanes)
        assert index.window(700, 10)[0] == []


def test_commits_are_found_by_id_by_its_beginning_and_as_a_child(tangled, tmp_path):
    commits = history_of(tangled)
    with indexed(tmp_path, tangled) as index:
        for row in (0, 1, 350, 699):
            oid = commits[row][0]
            assert index.row_of(oid) == row
            assert index.row_of_prefix(oid[:12]) == index.row_of_prefix(oid[:13]) == row
        assert index.row_of("0" * 40) is None
        assert index.row_of_prefix("0" * 13) is None
        children = [row for row, (_, parents) in enumerate(commits) if commits[699][0] in parents]
        assert index.first_child(699) == children[0]
        assert index.first_child(0) is None


@pytest.mark.parametrize("change", ["push", "merge", "old date", "new branch", "branch gone", "rewound"])
def test_after_the_tips_have_moved_the_older_index_gives_the_same_as_none(tmp_path, change, monkeypatch):
    repository = gitrepo.create(tmp_path)
    import_history(repository, 700, seed=5)
    base = indexed(tmp_path, repository)
    tip = gitrepo.git(repository, "rev-parse", "b3")
    if change == "push":
        for number in range(3):
            gitrepo.commit(repository, {"new": str(number)}, branch="b3", at=gitrepo.START + 10**6 + number)
    elif change == "merge":
        other = gitrepo.git(repository, "rev-parse", "b7")
        gitrepo.commit(repository, {"new": "1"}, branch="b3", parents=[tip, other], at=gitrepo.START + 10**6)
    elif change == "old date":
        gitrepo.commit(repository, {"new": "1"}, branch="b3", at=5)
    elif change == "new branch":
        old = gitrepo.git(repository, "rev-parse", "b3~20")
        gitrepo.commit(repository, {"new": "1"}, branch="side", parents=[old], at=gitrepo.START + 10**6)
    elif change == "branch gone":
        gitrepo.git(repository, "update-ref", "-d", "refs/heads/b3")
    else:
        gitrepo.update_ref(repository, "refs/heads/b3", gitrepo.git(repository, "rev-parse", "b3~1"))
    with base, indexed(tmp_path, repository, base) as joined, indexed(tmp_path, repository) as anew:
        assert [joined.commit(row) for row in range(joined.rows)] == [anew.commit(row) for row in range(anew.rows)]
        assert rows_of(joined) == rows_of(anew) == swept(history_of(repository))
        assert joined.tip_rows() == anew.tip_rows()
        assert all(joined.window(first, 5)[0] == anew.window(first, 5)[0] for first in range(0, joined.rows, 61))
    repository.close()


def test_a_push_to_a_branch_costs_what_is_new_and_not_its_whole_history(tmp_path, monkeypatch):
    repository = gitrepo.create(tmp_path)
    import_history(repository, 2000, seed=8)
    path = tmp_path / "one.graph"
    write(path, build(repository, [gitrepo.git(repository, "rev-parse", "b3")], max_rows=10_000))
    skipped = []
    skip = Sweep.skip
    with Index(path) as base:
        for number in range(3):
            gitrepo.commit(repository, {"new": str(number)}, branch="b3", at=gitrepo.START + 10**6 + number)
        monkeypatch.setattr(Sweep, "skip", lambda self, *commit: (skipped.append(commit), skip(self, *commit))[1])
        write(path, build(repository, [gitrepo.git(repository, "rev-parse", "b3")], base, max_rows=10_000))
        assert base.rows > 1500
        with Index(path) as joined:
            assert joined.rows == base.rows + 3
            assert len(skipped) <= 2 * INTERVAL
    repository.close()


def test_a_graph_that_is_too_long_is_cut_and_says_so(tangled, tmp_path):
    whole = swept(history_of(tangled))
    with indexed(tmp_path, tangled, max_rows=300) as index:
        assert index.is_cut
        assert index.rows == 300
        assert rows_of(index) == whole[:300]
        # What was cut is never a base: what it lacks could not be told from what is not there.
        with indexed(tmp_path, tangled, index) as anew:
            assert (anew.rows, anew.is_cut) == (700, False)
    with indexed(tmp_path, tangled) as base, indexed(tmp_path, tangled, base, max_rows=300) as cut:
        assert (cut.rows, cut.is_cut) == (300, True)


def test_a_file_that_is_no_whole_index_is_refused(tangled, tmp_path):
    path = tmp_path / "one.graph"
    write(path, build(tangled, tips_of(tangled), max_rows=1000))
    raw = path.read_bytes()
    for broken in (b"", b"graph", raw[:-1], raw + b"\0", b"x" + raw[1:]):
        path.write_bytes(broken)
        with pytest.raises(Damaged):
            Index(path)
    with pytest.raises(FileNotFoundError):
        Index(tmp_path / "none.graph")


def test_nothing_is_left_of_a_write_that_fails(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="full"):
        write(tmp_path / "one.graph", Contents())
    assert list(tmp_path.iterdir()) == []


def test_a_history_with_no_row_is_an_index_without_rows(tmp_path):
    write(tmp_path / "one.graph", Contents())
    with Index(tmp_path / "one.graph") as index:
        assert (index.rows, index.window(0, 10)) == (0, ([], {}))
