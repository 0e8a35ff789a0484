"""A whole build of one `echo`, StartBuild to its final status; reference: `docker run --rm` of the same command."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import timing
from tests.fixtures.installation import Installation, free_port

IMAGE = "codeservices/base"
BUILDSPEC = "version: 0.2\nphases:\n  build:\n    commands:\n      - echo hello\n"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cs-bench-") as folder:
        installation = Installation(Path(folder) / "var", free_port(), free_port())
        if installation.make("up").returncode != 0:
            raise SystemExit("make up failed")
        try:
            codebuild = installation.client("codebuild")
            codebuild.create_project(
                name="bench",
                source={"type": "NO_SOURCE", "buildspec": BUILDSPEC},
                artifacts={"type": "NO_ARTIFACTS"},
                environment={"type": "LINUX_CONTAINER", "image": IMAGE, "computeType": "BUILD_GENERAL1_SMALL"},
                serviceRole=f"arn:aws:iam::{installation.admin['account_id']}:role/codebuild-service-role",
            )

            def build() -> None:
                started = codebuild.start_build(projectName="bench")["build"]["id"]
                while True:
                    found = codebuild.batch_get_builds(ids=[started])["builds"][0]
                    if found["buildStatus"] != "IN_PROGRESS":
                        break
                    time.sleep(0.02)
                if found["buildStatus"] != "SUCCEEDED":
                    raise SystemExit(f"the build ended {found['buildStatus']}")

            def run() -> None:
                subprocess.run(["docker", "run", "--rm", IMAGE, "echo", "hello"], check=True, stdout=subprocess.DEVNULL)

            ours, reference = timing.by_turns(build, run)
            timing.row("a build of one echo, StartBuild to SUCCEEDED", ours, "docker run --rm", reference)
        finally:
            installation.make("down")


if __name__ == "__main__":
    main()
