"""Phases with the shells of a real container: what carries over, who runs it, what a failure leads to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from builds import buildspec
from builds.runner.docker import DockerExecutor
from builds.runner.plan import Prepared, Result
from tests.builds.test_phases import DIRECTORY, Build

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("base_image", "leftovers")]
Run = Callable[[str], "ShellBuild"]


class ShellBuild(Build):
    """A run in a container; `output` is what its commands wrote."""

    result: Result

    def prepared(self, text: str) -> Prepared:
        spec = buildspec.parse(text)
        return Prepared(spec, f"{DIRECTORY}/buildspec.yml", {**spec.variables, "HOME": "/root"}, DIRECTORY)

    @property
    def output(self) -> list[str]:
        return self.report.data.decode().splitlines()


@pytest.fixture
def run(install: str) -> Iterator[Run]:
    def one(text: str) -> ShellBuild:
        with contextlib.closing(DockerExecutor(install)) as executor:
            build = ShellBuild(text, executor=executor, image="codeservices/base")
            build.result = build.run()
        return build

    return one


def test_one_shell_serves_all_phases_of_version_02(run: Run):
    build = run(
        """version: 0.2
env:
  shell: bash
  variables: {A: "it's $HOME"}
  exported-variables: [A, LINES, SECRET_LESS]
phases:
  install:
    commands:
      - cd /tmp
      - greet() { echo "hello $1"; }
      - local_only=1
  pre_build:
    commands:
      - pwd; greet Ada; echo "$local_only $A"
  build:
    commands:
      - |
        export LINES="one
        two"
        [[ $BASH_VERSION ]] && echo bash
      - false
      - echo never
    finally:
      - echo "finally $CODEBUILD_BUILD_SUCCEEDING"
  post_build:
    commands:
      - echo "after $CODEBUILD_BUILD_SUCCEEDING in $PWD"
"""
    )
    assert build.output == ["/tmp", "hello Ada", "1 it's $HOME", "bash", "finally 0", "after 0 in /tmp"]
    assert build.result.status == "FAILED"
    assert build.result.exported_variables == {"A": "it's $HOME", "LINES": "one\ntwo"}
    assert build.context("BUILD").message == "Error while executing command: false. Reason: exit status 1"


def test_each_command_of_version_01_has_a_shell_of_its_own(run: Run):
    build = run(
        """version: 0.1
environment_variables:
  plaintext: {A: "1"}
phases:
  build:
    commands:
      - cd /tmp && export B=2 && C=3
      - echo "$PWD $A [$B$C] $CODEBUILD_BUILD_SUCCEEDING"
      - exit 3
  post_build:
    commands:
      - echo "after $CODEBUILD_BUILD_SUCCEEDING"
"""
    )
    assert build.output == [f"{DIRECTORY} 1 [] 1", "after 0"]
    assert (build.result.status, build.statuses["POST_BUILD"]) == ("FAILED", "SUCCEEDED")


def test_run_as_holds_for_the_file_and_for_a_phase_and_a_stranger_fails(run: Run):
    build = run(
        """version: 0.2
run-as: daemon
phases:
  install:
    run-as: root
    commands:
      - id -un; echo "$HOME"; export KEPT=1
  pre_build:
    commands:
      - id -un; echo "$KEPT"
    finally:
      - id -un
  build:
    run-as: nobody-knows
    commands:
      - echo never
    finally:
      - echo never
  post_build:
    run-as: root
    commands:
      - id -un
"""
    )
    assert [line for line in build.output if "su:" not in line] == ["root", "/root", "daemon", "1", "daemon", "root"]
    assert "nobody-knows does not exist" in build.report.data.decode()
    assert build.context("BUILD").status_code == "COMMAND_EXECUTION_ERROR"


def test_a_phase_is_tried_again_and_succeeds_in_the_end(run: Run):
    build = run(
        """version: 0.2
phases:
  build:
    on-failure: RETRY-5-not yet
    commands:
      - export tries=$((tries + 1)); echo "try $tries"
      - test $tries -ge 3 || { echo not yet; exit 1; }
  post_build:
    commands:
      - echo "after $CODEBUILD_BUILD_SUCCEEDING"
"""
    )
    assert build.output == ["try 1", "not yet", "try 2", "not yet", "try 3", "after 1"]
    assert build.result.status == "SUCCEEDED" and build.statuses["BUILD"] == "SUCCEEDED"


def test_a_failure_that_is_continued_from_is_told_to_the_later_phases(run: Run):
    build = run(
        """version: 0.2
phases:
  install:
    on-failure: CONTINUE
    commands:
      - no-such-command
  build:
    commands:
      - echo "build $CODEBUILD_BUILD_SUCCEEDING"
  post_build:
    on-failure: ABORT
    commands:
      - test "$CODEBUILD_BUILD_SUCCEEDING" = 1
    finally:
      - echo cleaned
"""
    )
    assert build.output[-2:] == ["build 0", "cleaned"]
    assert build.context("INSTALL").message.endswith("no-such-command. Reason: exit status 127")
    assert build.result.status == "FAILED" and "UPLOAD_ARTIFACTS" not in build.statuses
