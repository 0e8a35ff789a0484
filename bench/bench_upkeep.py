"""What upkeep saves: a clone, history and graph of one repository after upkeep; reference: the same before it.

The figures are processor seconds of git, which other load on the machine changes little. Without an argument it is a
history of 3,000 commits; `bench_upkeep.py BARE_REPOSITORY` takes a copy of a real one.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import history, timing
from repos.git import locks, refs
from repos.git.store import BareRepository
from repos.git.upkeep import jobs
from repos.git.upkeep.jobs import LockedRepository

ROUNDS = 3
COMMITS = 3000


def pushed(source: str, path: Path) -> None:
    """A repository as pushes leave it: packs without bitmap, loose refs, no commit-graph."""
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)], check=True)
    if source:
        subprocess.run(["git", "push", "--quiet", "--mirror", str(path)], cwd=source, check=True)
    else:
        history.fast_import(path, COMMITS)


def upkeep(path: Path) -> None:
    with BareRepository(path) as git, locks.rewriting(git) as rewriting:
        locked = LockedRepository(git, rewriting)
        for job in (jobs.pack_refs, jobs.write_commit_graph, jobs.repack):
            before = children_seconds()
            job(locked)
            print(f"{job.__name__}: {children_seconds() - before:.1f} s of processor time", file=sys.stderr)


def children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def median_seconds(act: Callable[[Path], object], path: Path) -> float:
    spent = []
    for _ in range(ROUNDS):
        before = children_seconds()
        act(path)
        spent.append(children_seconds() - before)
    return sorted(spent)[ROUNDS // 2]


def clone(path: Path) -> None:
    """All that a server does for a full clone."""
    tips = set(refs.all_refs(BareRepository(path)).values())
    wants = [f"want {oid}\n" for oid in sorted(tips)]
    wants[0] = wants[0].replace("\n", " no-progress ofs-delta\n")
    request = "".join(f"{len(line) + 4:04x}{line}" for line in wants) + "0000" + "0009done\n"
    command = ["git", "upload-pack", "--stateless-rpc", str(path)]
    subprocess.run(command, input=request.encode(), stdout=subprocess.DEVNULL, check=True)


def list_refs(path: Path) -> None:
    subprocess.run(["git", "for-each-ref"], cwd=path, stdout=subprocess.DEVNULL, check=True)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cs-bench-") as folder:
        before, after = Path(folder, "before.git"), Path(folder, "after.git")
        pushed(sys.argv[1] if len(sys.argv) > 1 else "", before)
        shutil.copytree(before, after)
        upkeep(after)
        listed = subprocess.check_output(["git", "ls-tree", "-r", "--name-only", "HEAD"], cwd=before, text=True)
        file = listed.split("\n")[0]

        def log(*args: str) -> Callable[[Path], object]:
            return lambda path: subprocess.run(["git", "log", *args], cwd=path, stdout=subprocess.DEVNULL, check=True)

        for what, act in (
            ("full clone, processor time of the server", clone),
            ("graph of all branches, first 100 commits", log("--graph", "--all", "--oneline", "-n", "100")),
            ("history of one file", log("--oneline", "HEAD", "--", file)),
            ("list of all refs", list_refs),
        ):
            timing.row(what, median_seconds(act, after), "before upkeep", median_seconds(act, before))


if __name__ == "__main__":
    main()
