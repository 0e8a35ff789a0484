"""The pages of a repository against cgit's: the same repository, by turns, with a real session of our console.

Each page is measured twice. First seen: every request asks for another commit, so that nothing of ours is remembered.
Seen again: the same addresses once more. cgit, which has its cache switched off, is asked for the same commits.
What this branch has no page for is left out with a line that says so.

`BENCH_REPOSITORY=PATH` measures with a real repository; without it one of 82,000 commits is generated.
`python bench/bench_pages.py pages` measures a part: `pages`, `compression`, `depth`, `shapes`, `branches`, `memory`.
"""

from __future__ import annotations

import html
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import cgit, history, processes, web_process
from bench.cgit import Cgit
from bench.page_requests import Browser, Page
from tests import gitserver
from tests.gitserver import GitServer

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "20"))
BLAME_ROUNDS = 5  # of what takes a second
DEPTH = 40_000
LINES = 3000
COMMIT_FILES = range(18, 23)
BRANCHES = 10_000
CRAWLED = 2000
# The parts of a page that a browser fetches by itself: at once, or when they are scrolled to.
_FRAGMENT = re.compile(r'hx-get="([^"]+)"[^>]*hx-trigger="[^"]*(?:load|revealed)')
_SCROLLED_TO = re.compile(r'hx-get="([^"]+)"[^>]*hx-trigger="intersect')
_LINK = re.compile(r'href="(/repositories/[^"#]+)')
_NEXT = re.compile(r'<a\b(?=[^>]*\brel="next")[^>]*href="([^"]+)"')
# Downloads are no pages, and a filled-in form is not what a crawl is after.
_NO_PAGES = re.compile(r"/(raw|archive|settings|triggers|migrate|edit|create)\b|[?&]download")


@dataclass(frozen=True)
class Subjects:
    """What is looked at in the repository.

    Attributes:
        path: Where it lies.
        name: What our console calls it.
        branch: Its default branch.
        commits: ROUNDS commits of that branch, newest first.
        file: The path of a text of about LINES lines.
        versions: The commits that changed it last.
        twenties: Commits that changed about twenty files.
        widest: The commit that changed the most files, up to 1,500.
        renames: The commit with the most renames.
    """

    path: Path
    name: str
    branch: str
    commits: Sequence[str]
    file: str
    versions: Sequence[str]
    twenties: Sequence[str]
    widest: str
    renames: str


@dataclass(frozen=True)
class Sides:
    """Both servers, and the process of ours that answers."""

    browser: Browser
    pid: int
    reference: Browser
    cgit: Cgit

    def has(self, address: str) -> bool:
        """Whether this branch has such a page; says so where it has not."""
        page = self.browser.get(address)
        if page.status != 200:
            print(f"(left out: {address} answers with {page.status})", flush=True)
        return page.status == 200


def _git(path: Path, *args: str) -> str:
    return subprocess.run(["git", *args], cwd=path, capture_output=True, check=True).stdout.decode("utf-8", "replace")


def subjects(path: Path, name: str) -> Subjects:
    """Look for what the rows are about."""
    branch = _git(path, "symbolic-ref", "--short", "HEAD").strip()
    file = _file_of_lines(path, branch)
    counted = list(_changed_files(path, branch, "--no-renames"))
    twenties = [oid for oid, count in counted if count in COMMIT_FILES]
    widest = max(((count, oid) for oid, count in counted if count <= 1500), default=(0, ""))[1]
    large = [oid for oid, count in sorted(counted, key=lambda one: -one[1])[:20]]
    renames = max(large, key=lambda oid: _git(path, "show", "-M", "--format=", "--name-status", oid).count("\nR"))
    return Subjects(
        path,
        name,
        branch,
        _git(path, "rev-list", f"--max-count={ROUNDS}", "--first-parent", branch).split(),
        file,
        _git(path, "rev-list", f"--max-count={ROUNDS}", branch, "--", file).split(),
        twenties[:ROUNDS],
        widest,
        renames,
    )


def _file_of_lines(path: Path, branch: str) -> str:
    """The text whose number of lines is nearest to LINES."""
    empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    rows = [line.split("\t") for line in _git(path, "diff", "--numstat", empty, branch).splitlines()]
    return min((row for row in rows if row[0].isdigit()), key=lambda row: abs(int(row[0]) - LINES))[2]


def _changed_files(path: Path, branch: str, *options: str) -> Iterable[tuple[str, int]]:
    """(commit, how many files it changed), newest first, merges left out."""
    args = ["log", "--no-merges", "--format=%x01%H", "--name-only", *options, branch]
    for part in _git(path, *args).split("\x01")[1:]:
        oid, *names = part.split()
        yield oid, len(names)


def percentile(figures: Sequence[float], share: float) -> float:
    """The figure that this share of all does not exceed."""
    return sorted(figures)[min(len(figures) - 1, int(share * len(figures)))]


def compare(sides: Sides, what: str, ours: Sequence[str], theirs: Sequence[str], rounds: int = ROUNDS) -> None:
    """One row of pages that both sides have: first seen, seen again, cgit's."""
    if not ours or not sides.has(ours[-1]):
        return
    first: list[float] = []
    reference: list[float] = []
    _ok(sides.reference.get(theirs[-1]))
    for our_path, their_path in list(zip(ours, theirs, strict=True))[: min(rounds, len(ours) - 1)]:
        first.append(_ok(sides.browser.get(our_path)).seconds)
        reference.append(_ok(sides.reference.get(their_path)).seconds)
    again = [_again(sides.browser, path) for path in ours[: len(first)]]
    ratio = statistics.median(first) / statistics.median(reference)
    print(f"| {what} | {_both(first)} | {_both(again)} | {_both(reference)} | {ratio:.2f} |", flush=True)


def _again(browser: Browser, path: str) -> float:
    """The page once more, as the same browser asks: with the validator it was given, where it was given one."""
    before = _ok(browser.get(path))
    if "etag" not in before.headers:  # such as a long file before its colours, which the browser asks for by itself
        for part in _FRAGMENT.findall(before.text):
            browser.get(html.unescape(part), HX_Request="true")
        before = _ok(browser.get(path))
    known = before.headers.get("etag")
    page = browser.get(path, **({"If_None_Match": known} if known else {}))
    assert page.status in (200, 304), page.status
    return page.seconds


def _both(figures: Sequence[float]) -> str:
    return f"{statistics.median(figures) * 1000:.0f}, {percentile(figures, 0.95) * 1000:.0f} ms"


def _ok(page: Page) -> Page:
    assert page.status == 200, (page.status, page.text[:500])
    return page


def pages(sides: Sides, them: Subjects) -> None:
    """The pages that cgit has too."""
    at = f"/repositories/{them.name}"
    print("| page | ours, first seen: p50, p95 | seen again | cgit | ratio of p50 |\n|---|---|---|---|---|", flush=True)
    entries = len(_git(them.path, "ls-tree", "--name-only", them.branch).splitlines())
    tree = [f"{at}/browse/{oid}" for oid in them.commits]
    compare(sides, f"root folder, {entries} entries", tree, [sides.cgit.path("tree", id=one) for one in them.commits])
    by_name = [f"{at}/browse/{them.branch}"] * ROUNDS
    compare(sides, "the same by its branch", by_name, [sides.cgit.path("tree", h=them.branch)] * ROUNDS)
    for what, page, theirs, rounds in (
        ("file of 3,000 lines", "browse", "tree", ROUNDS),
        ("blame of it", "blame", "blame", BLAME_ROUNDS),
    ):
        ours = [f"{at}/{page}/{oid}/{them.file}" for oid in them.versions]
        compare(sides, what, ours, [sides.cgit.path(theirs, them.file, id=one) for one in them.versions], rounds)
    ours = [f"{at}/commits/{oid}" for oid in them.commits]
    compare(sides, "history, page 1", ours, [sides.cgit.path("log", id=one) for one in them.commits])
    ours = [f"{at}/commits/{oid}/{them.file}" for oid in them.versions]
    compare(sides, "history of one file", ours, [sides.cgit.path("log", them.file, id=one) for one in them.versions])
    ours = [f"{at}/commit/{oid}" for oid in them.twenties]
    compare(sides, "commit of 20 files", ours, [sides.cgit.path("commit", id=one) for one in them.twenties])


def compression(sides: Sides, them: Subjects) -> None:
    """What a browser that takes gzip is sent, and what that costs; each answer is made anew."""
    at = f"/repositories/{them.name}"
    print("| page | bytes | compressed | p50 as it is, compressed |\n|---|---|---|---|", flush=True)
    for what, address in (
        ("root folder", f"{at}/browse/{them.branch}"),
        ("file of 3,000 lines", f"{at}/browse/{them.versions[0]}/{them.file}"),
        ("history, page 1", f"{at}/commits/{them.branch}"),
        ("commit of 20 files", f"{at}/commit/{them.twenties[0]}"),
        ("graph", f"{at}/graph"),
    ):
        plain, packed = [], []
        for _ in range(ROUNDS):
            plain.append(_ok(sides.browser.get(address)))
            packed.append(_ok(sides.browser.get(address, Accept_Encoding="gzip")))
        sizes = f"{len(plain[-1].body):,} | {len(packed[-1].body):,}"
        times = ", ".join(f"{statistics.median(one.seconds for one in pages) * 1000:.1f}" for pages in (plain, packed))
        print(f"| {what} | {sizes} | {times} ms |", flush=True)


def depth(sides: Sides, them: Subjects) -> None:
    """History and graph far from the tip: the browser follows “Older” all the way."""
    followed = [f"/repositories/{them.name}/commits/{them.branch}"]
    while len(followed) * cgit.COMMITS_A_PAGE <= DEPTH:
        address = _next(_ok(sides.browser.get(followed[-1])), followed[-1])
        if address is None:
            break
        followed.append(address)
    first = (len(followed) - 1) * cgit.COMMITS_A_PAGE
    ours, offsets = [followed[-1]], [first]
    for _ in range(ROUNDS):  # pages that nobody has seen yet
        address = _next(_ok(sides.browser.get(ours[-1])), ours[-1])
        if address is None:
            break
        ours.append(address)
        offsets.append(offsets[-1] + cgit.COMMITS_A_PAGE)
    fresh = [_fresh(path) for path in ours[1:]]
    theirs = [sides.cgit.path("log", h=them.branch, ofs=offset) for offset in offsets[1:]]
    compare(sides, f"history at offset {first:,}", fresh, theirs)
    address = f"/repositories/{them.name}/graph"
    if not sides.has(address):
        return
    seconds: list[float] = []
    while address and len(seconds) < 100:
        page = _ok(sides.browser.get(address))
        seconds.append(page.seconds)
        address = _next(page, address) or ""
    print(f"(the graph's first page: {seconds[0] * 1000:.0f} ms)", flush=True)
    _goal(f"graph, slowest of the next {len(seconds) - 1} pages", f"{max(seconds[1:]) * 1000:.0f} ms", "200 ms")


def _fresh(path: str) -> str:
    """The same page under an address that was not asked for before."""
    return f"{path}&fresh" if "?" in path else f"{path}?fresh"


def _next(page: Page, address: str) -> str | None:
    found = _NEXT.search(page.text)
    if found is None:
        return None
    path = html.unescape(found[1])
    return path if path.startswith("/") else address.partition("?")[0] + path


def shapes(sides: Sides, them: Subjects) -> None:
    """What cgit has no like of, or no goal beside it."""
    at = f"/repositories/{them.name}"
    older = _git(them.path, "rev-list", "--max-count=3", "--skip=50", "--first-parent", them.branch).split()
    cold, warm = [], []
    for oid in older:
        address = f"{at}/browse/{oid}?last_commits"
        cold.append(_ok(sides.browser.get(address, HX_Request="true")).seconds)
        warm.append(_ok(sides.browser.get(address, HX_Request="true")).seconds)
    _goal("last commits of all entries of the root folder, cold", _milliseconds(cold), "1,000 ms")
    _goal("the same, warm", _milliseconds(warm), "50 ms")
    page = _ok(sides.browser.get(f"{at}/commit/{them.widest}"))
    seconds = page.seconds
    if 'class="diff"' not in page.text:
        seconds += sides.browser.get(f"{at}/commit/{them.widest}?file=0", HX_Request="true").seconds
    count = len(_git(them.path, "show", "--format=", "--name-only", them.widest).splitlines())
    _goal(f"first file of a commit of {count:,} files", _milliseconds([seconds]), "300 ms")
    answers = _scrolled_through(sides.browser, f"{at}/commit/{them.renames}")
    count = _git(them.path, "show", "-M", "--format=", "--name-status", them.renames).count("\nR")
    what = f"commit of {count:,} renames whole: {len(answers)} answers"
    _goal(what, _milliseconds([sum(one.seconds for one in answers)]), "1,000 ms")
    _goal("largest answer of them", f"{max(len(one.body) for one in answers) / 1e6:.2f} MB", "2 MB")
    theirs = _ok(sides.reference.get(sides.cgit.path("commit", id=them.renames)))
    print(f"(cgit's page of that commit: {theirs.seconds * 1000:.0f} ms, {len(theirs.body) / 1e6:.2f} MB)", flush=True)


def _scrolled_through(browser: Browser, address: str) -> list[Page]:
    """A page, what it fetches at once, and all that follows when somebody scrolls to its end."""
    answers = [_ok(browser.get(address))]
    waiting = [*_FRAGMENT.findall(answers[0].text), *_SCROLLED_TO.findall(answers[0].text)]
    while waiting:
        answers.append(_ok(browser.get(html.unescape(waiting.pop()), HX_Request="true")))
        waiting += _SCROLLED_TO.findall(answers[-1].text)
    return answers


def branches(sides: Sides, server: GitServer, them: Subjects) -> None:
    """The switch of a repository with many branches: opened, and filtered."""
    name = server.create()
    path = server.path(name)
    history.fast_import(path, 10)
    tip = _git(path, "rev-parse", "refs/heads/main").strip()
    rows = "".join(f"{tip} refs/heads/topic/{number:05}\n" for number in range(BRANCHES))
    (path / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{rows}")
    for what, query in (("opened", ""), ("filtered", "0999")):
        address = f"/repositories/{name}/browse/main?q={query}"
        told = [_ok(sides.browser.get(address, HX_Request="true")).seconds for _ in range(ROUNDS)]
        _goal(f"branch switch with {BRANCHES:,} branches, {what}", _milliseconds(told), "200 ms")
    told = [_ok(sides.browser.get(f"/repositories/{name}/browse/main")).seconds for _ in range(ROUNDS)]
    _goal("a folder beside so many branches", _milliseconds(told), "100 ms")


def memory(sides: Sides, them: Subjects) -> None:
    """What the web process holds after a crawl: links followed at random, each address once."""
    before = processes.anonymous_bytes(sides.pid)
    chance = random.Random(1)
    waiting = [f"/repositories/{them.name}/"]
    seen = set(waiting)
    failed: dict[str, int] = {}
    count = 0
    while waiting and count < CRAWLED:
        address = waiting.pop(chance.randrange(len(waiting)))
        page = sides.browser.get(address)
        count += 1
        if page.status >= 500:
            failed[address] = page.status
        for found in _LINK.findall(page.text):
            link = html.unescape(found)
            if link not in seen and link.startswith(f"/repositories/{them.name}/") and not _NO_PAGES.search(link):
                seen.add(link)
                waiting.append(link)
    after = processes.anonymous_bytes(sides.pid)
    print(f"(at rest before: {before / 1e6:.0f} MB; pages that failed: {failed or 'none'})", flush=True)
    _goal(f"memory of the web process after a crawl of {count:,} pages", f"{after / 1e6:.0f} MB", "250 MB")


def _milliseconds(figures: Sequence[float]) -> str:
    return f"{statistics.median(figures) * 1000:.0f} ms"


def _goal(what: str, measured: str, goal: str) -> None:
    print(f"| {what} | {measured} | {goal} |", flush=True)


def main() -> None:
    command = cgit.why_missing()
    if command:
        sys.exit(f"bench_pages.py compares with cgit behind nginx, which is not here. Install it: {command}")
    with tempfile.TemporaryDirectory(prefix="cs-bench-") as made, gitserver.running(Path(made) / "ours") as server:
        name = server.create()
        path = server.path(name)
        words = history.large(path)
        print(f"({words})", flush=True)
        them = subjects(path, name)
        with (
            web_process.running(server) as (port, pid),
            cgit.running(Path(made) / "cgit", path) as reference,
        ):
            browser = Browser(port)
            browser.sign_in("alice", server.python("from tests import factories; print(factories.PASSWORD)").strip())
            sides = Sides(browser, pid, Browser(reference.port), reference)
            parts: dict[str, Callable[[], None]] = {
                "pages": lambda: pages(sides, them),
                "compression": lambda: compression(sides, them),
                "depth": lambda: depth(sides, them),
                "shapes": lambda: shapes(sides, them),
                "branches": lambda: branches(sides, server, them),
                "memory": lambda: memory(sides, them),
            }
            for part in sys.argv[1:] or parts:
                parts[part]()


if __name__ == "__main__":
    main()
