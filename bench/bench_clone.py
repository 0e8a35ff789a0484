"""A full clone through our HTTP server; reference: the same clone by git's own pipe, `file://`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import timing
from tests.gitserver import running

COMMITS = 3000
FILES_A_COMMIT = 4


def fast_import() -> bytes:
    """A history of COMMITS commits that each rewrite a few of a hundred files."""
    parts = []
    for number in range(COMMITS):
        changes = "".join(
            f"M 100644 inline src/module_{(number * 7 + index * 13) % 100}.py\ndata <<END\n"
            + "".join(f"value_{line} = {number * line + index}\n" for line in range(60))
            + "END\n"
            for index in range(FILES_A_COMMIT)
        )
        parts.append(
            "commit refs/heads/main\n"
            f"committer Bench <bench@example.org> {1700000000 + number} +0000\n"
            f"data <<END\nChange {number}\nEND\n{changes}\n"
        )
    return "".join(parts).encode()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cs-bench-") as folder, running(Path(folder)) as server:
        name = server.create()
        bare = server.path(name)
        subprocess.run(["git", "fast-import", "--quiet"], cwd=bare, input=fast_import(), check=True)
        subprocess.run(["git", "repack", "-adq", "--write-bitmap-index"], cwd=bare, check=True)

        def clone(url: str) -> None:
            target = f"{folder}/clone"
            subprocess.run(["git", "clone", "--quiet", "--bare", url, target], check=True)
            shutil.rmtree(target)

        ours, reference = timing.by_turns(lambda: clone(server.url(name, "alice")), lambda: clone(f"file://{bare}"))
        timing.row(f"full clone, {COMMITS:,} commits, over HTTP", ours, "git clone file://", reference)


if __name__ == "__main__":
    main()
