"""Clones that are answered together or from a file, with the real git client against the real server process."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from repos.git import wire
from tests import gitclient, gitrepo, gitserver


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with gitserver.running(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def name(server):
    return server.create()


@pytest.fixture
def work(server, name, tmp_path):
    """alice's clone with some commits pushed to main."""
    work = gitclient.new(tmp_path / "work", server.url(name, "alice"))
    for number in range(5):
        work.commit({f"{number}.bin": random.Random(number).randbytes(100_000), "number": str(number)})
    work.git("push", "--quiet", "origin", "main")
    return work


def figures(server) -> dict[str, float]:
    """The cache's figures in /metrics, by their short names."""
    lines = server.request("/metrics")[1].decode().splitlines()
    prefix = "codeservices_git_fetch_cache_"
    pairs = (line.removeprefix(prefix).split() for line in lines if line.startswith(prefix))
    return {name.removesuffix("_total"): float(value) for name, value in pairs}


def increase(server, before: dict[str, float], what: str) -> float:
    return figures(server)[what] - before[what]


def clones(server, name, folder, count: int, *options: str) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        copy = gitclient.clone(folder / f"copy{number}", server.url(name, "bob"), "--bare", *options)
        copy.git("fsck", "--strict")


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_the_third_clone_needs_no_git_in_any_protocol(server, name, work, tmp_path, protocol):
    before = figures(server)
    clones(server, name, tmp_path, 3, "-c", f"protocol.version={protocol}")
    assert (increase(server, before, "generated"), increase(server, before, "hit")) == (2, 1)
    assert figures(server)["bytes"] > 500_000


@pytest.mark.parametrize(
    "option",
    [
        "--depth=2",
        "--filter=blob:none",
        "--filter=tree:0",
        "--single-branch",
        "--shallow-since=2001-01-01",
        "--no-tags --depth=3",
    ],
)
def test_shallow_partial_and_narrow_clones_have_answers_of_their_own(server, name, work, tmp_path, option):
    clones(server, name, tmp_path / "full", 2)
    before = figures(server)
    for number in range(3):
        copy = gitclient.clone(tmp_path / f"copy{number}", server.url(name, "bob"), *option.split())
        assert copy.git("rev-parse", "HEAD") == work.git("rev-parse", "HEAD")
        assert (copy.folder / "number").read_text() == "4"
    assert increase(server, before, "generated") >= 2
    is_shallow = gitrepo.git(tmp_path / "copy2", "rev-parse", "--is-shallow-repository")
    assert is_shallow == ("true" if "--depth" in option else "false")


def test_a_push_is_seen_by_the_next_clone(server, name, work, tmp_path):
    clones(server, name, tmp_path / "before", 3)
    oid = work.commit({"more": "x"})
    work.git("push", "--quiet", "origin", "main", "HEAD:refs/heads/other")
    copy = gitclient.clone(tmp_path / "after", server.url(name, "bob"), "--bare")
    assert copy.git("rev-parse", "main", "other").split() == [oid, oid]
    work.git("push", "--quiet", "origin", ":refs/heads/other")
    assert "other" not in gitclient.run("ls-remote", server.url(name, "bob"), folder=tmp_path).out


def test_one_who_lost_the_right_to_pull_gets_nothing_of_what_is_kept(server, name, work, tmp_path):
    clones(server, name, tmp_path, 3)
    oid = work.git("rev-parse", "HEAD")
    body = wire.pkt(f"want {oid} side-band-64k ofs-delta\n".encode()) + wire.FLUSH + wire.pkt(b"done\n")
    path, headers = f"/v1/repos/{name}/git-upload-pack", {"Content-Type": "application/x-git-upload-pack-request"}
    before = figures(server)
    told = [server.request(path, body, "bob", headers)[0] for _ in range(3)]
    assert (told, increase(server, before, "hit")) == ([200] * 3, 1)
    status, sentence, _ = server.request(path, body, "carol", headers)
    assert status == 403
    assert b"codecommit:GitPull" in sentence
    assert server.request(path, body, "", headers)[0] == 401
    listing = f"/v1/repos/{name}/info/refs?service=git-upload-pack"
    assert [server.request(listing, who=who)[0] for who in ("bob", "bob", "carol")] == [200, 200, 403]
    assert increase(server, before, "hit") == 1
    assert server.events(name)[-1]["outcome"] == "Denied"


def test_a_clone_from_the_file_is_audited_as_any_other(server, name, work, tmp_path):
    clones(server, name, tmp_path, 3)
    pulls = [
        event for event in server.events(name) if event["name"] == "GitPull" and event["additional"]["dataTransferred"]
    ]
    assert len(pulls) == 3
    assert pulls[0]["additional"] == pulls[2]["additional"]


def test_equal_clones_at_once_share_one_git(server, name, tmp_path):
    work = gitclient.new(tmp_path / "work", server.url(name, "alice"))
    work.git("config", "core.compression", "0")
    work.commit({f"part{number}": random.Random(number).randbytes(1_000_000) for number in range(5)})
    work.git("push", "--quiet", "origin", "main")
    # Since it was asked for before, the answer is kept: who comes when the first of the eight is done finds the file.
    clones(server, name, tmp_path / "before", 1)
    gitserver.wait_for(lambda: not list(server.var.glob("cache/**/*.part")))
    before = figures(server)
    with ThreadPoolExecutor(8) as pool:
        urls = [server.url(name, "bob")] * 8
        copies = list(
            pool.map(lambda pair: gitclient.clone(tmp_path / str(pair[0]), pair[1], "--bare"), enumerate(urls))
        )
    assert {copy.git("rev-parse", "main") for copy in copies} == {work.git("rev-parse", "HEAD")}
    told = figures(server)
    assert told["generated"] - before["generated"] == 1
    assert told["shared"] + told["hit"] - before["shared"] - before["hit"] == 7


def test_clones_under_pushes_are_whole_and_hold_what_was_pushed(server, name, work, tmp_path):
    """Each branch of a clone is where a push left it, with every object. Two need not be of one moment: git moves the
    refs of a push, an atomic one too, one after the other, and reads them so."""
    pushed: set[str] = set()
    is_over = threading.Event()

    def push() -> None:
        for number in range(8):
            work.git("commit", "--quiet", "--allow-empty", "--message", f"{number}")
            if number % 4 == 3:  # some go back to where they were
                work.git("reset", "--quiet", "--hard", "HEAD~2")
            pushed.add(work.git("rev-parse", "HEAD"))
            work.git("push", "--quiet", "--force", "--atomic", "origin", "main", "HEAD:refs/heads/twin")
        is_over.set()

    pushed.add(work.git("rev-parse", "HEAD"))
    work.git("push", "--quiet", "origin", "main:refs/heads/twin")
    seen: set[str] = set()
    with ThreadPoolExecutor(4) as pool:
        pushing = pool.submit(push)
        number = 0
        while not is_over.is_set() and not pushing.done():
            folders = [tmp_path / f"{number}-{index}" for index in range(2)]
            number += 1
            for copy in pool.map(lambda folder: gitclient.clone(folder, server.url(name, "bob"), "--bare"), folders):
                copy.git("fsck", "--strict", "--connectivity-only")
                seen.update(copy.git("rev-parse", "main", "twin").split())
        pushing.result()
    assert seen
    assert seen <= pushed


def test_a_clone_works_when_nothing_can_be_kept(server, name, work, tmp_path):
    folder = server.var / "cache" / "git"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.write_text("in the way")
    try:
        clones(server, name, tmp_path, 1)
    finally:
        folder.unlink()
    assert (server.events(name)[-1]["name"], server.events(name)[-1]["additional"]["dataTransferred"]) == (
        "GitPull",
        True,
    )
    clones(server, name, tmp_path / "again", 1)
