"""A trial on a real repository: our rows of random commits against `git diff-tree -p`, byte for byte.

The rows that come with a commit's list of files, out of the same git process, are compared with those as well.

python -m tests.repos.diff_trial /path/to/repository.git --commits 500 --seed 5
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from repos.diff import changes, hunks
from repos.git import log, objects, program
from repos.git.store import BareRepository
from tests.repos import patch_text


def differences(repository: BareRepository, oids: list[str]) -> list[str]:
    """The commits whose patch against the first parent is not git's."""
    wrong = []
    for oid in oids:
        commit = log.commit(repository, oid)
        parent = objects.tree_oid(repository, commit.parent_oids[0]) if commit.parent_oids else objects.EMPTY_TREE
        files = changes.changes(repository, parent, commit.tree_oid).files
        ours = patch_text.patch_of(repository, files)
        theirs = program.run(repository, patch_text.git_args(parent, commit.tree_oid), max_output_bytes=2**31)
        opened, rows = hunks.of_trees(repository, hunks.begin_trees(repository, parent, commit.tree_oid))
        if ours != theirs or (opened, list(rows)) != (files, list(hunks.hunks_of_many(repository, files))):
            wrong.append(oid)
    return wrong


def main() -> None:
    """Choose commits by the seed, compare, count."""
    parser = argparse.ArgumentParser()
    parser.add_argument("repository", type=Path)
    parser.add_argument("--commits", type=int, default=500)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    with BareRepository(given.repository) as repository:
        everything = sorted(program.run(repository, ["rev-list", "--all"]).decode("ascii").split())
        chosen = random.Random(given.seed).sample(everything, min(given.commits, len(everything)))
        wrong = differences(repository, chosen)
    told = [f"{len(chosen)} of {len(everything)} commits compared, {len(wrong)} differ", *wrong]
    sys.stdout.write("".join(f"{line}\n" for line in told))


if __name__ == "__main__":
    main()
