"""Artifacts of 300 MB in 20,000 files, container to ZIP; reference: `docker cp` of the same folder and `zip -r`."""

from __future__ import annotations

import contextlib
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import timing
from builds.artifacts import packing
from builds.buildspec import Artifacts
from builds.collecting import Limits
from builds.runner import engine
from builds.runner.docker import DockerExecutor
from builds.runner.executor import Spec, Start

IMAGE = "codeservices/base"
DIRECTORY = "/codebuild/output/src"
FILES, BYTES = 20_000, 15_000
ROUNDS = 3
# Text that compresses as a program's does, in a hundred folders of two hundred files.
FOLDERS = 100
FILL = (
    "mkdir -p out && seq 1 400000 | sed 's/.*/& the quick brown fox & jumps over/' > /tmp/text && "
    f"for i in $(seq 1 {FOLDERS}); do mkdir out/d$i && tail -c +$((i * 70001)) /tmp/text | "
    f"head -c {FILES * BYTES // FOLDERS} | split -b {BYTES} -a 3 -d - out/d$i/f; done"
)


@contextlib.contextmanager
def filled() -> Iterator[DockerExecutor]:
    """A container with the files, at rest."""
    executor = DockerExecutor("bench")
    try:
        executor.provision(Spec("bench:artifacts", IMAGE, 2**31, 2), lambda sentence: None)
        executor.start(Start({}, DIRECTORY))
        if executor.run(FILL, lambda data: None) != 0:
            raise SystemExit("the files could not be made")
        with executor.read(DIRECTORY):
            pass
        yield executor
    finally:
        executor.close()


def main() -> None:
    with filled() as executor, tempfile.TemporaryDirectory(prefix="cs-bench-") as folder:
        limits, wanted = Limits(100_000, 2**32), Artifacts(("**/*",), base_directory="out")
        name = executor._container.id

        def ours() -> None:
            with tempfile.TemporaryFile(dir=folder) as file:
                packed = packing.pack(executor, wanted, DIRECTORY, file, limits, lambda sentence: None)
                if len(packed.entries) != FILES:
                    raise SystemExit(f"{len(packed.entries)} files were packed")

        def reference() -> None:
            copy = Path(folder) / "copy"
            subprocess.run(["docker", "cp", "-q", f"{name}:{DIRECTORY}/out", copy], check=True)
            subprocess.run(["zip", "-q", "-r", Path(folder) / "copy.zip", "."], cwd=copy, check=True)
            shutil.rmtree(copy)
            (Path(folder) / "copy.zip").unlink()

        seconds, other = timing.by_turns(ours, reference, ROUNDS)
        timing.row(f"{FILES:,} files, {FILES * BYTES / 1e6:.0f} MB, to a ZIP", seconds, "docker cp and zip", other)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"memory of this process at its most: {peak:.0f} MB", flush=True)
        with contextlib.closing(engine.connect()) as client:
            engine.reap(client, "bench", lambda: ())


if __name__ == "__main__":
    main()
