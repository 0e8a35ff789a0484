"""Order and outcome of phases, with an executor that is steered by the commands' text."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import pytest

from builds import buildspec
from builds.runner import phases
from builds.runner.executor import LOST, STOPPED, Interruption, PhaseError, Spec
from builds.runner.plan import Context, PhaseResult, Plan, Prepared, Result
from tests.executors import FakeExecutor

DIRECTORY = "/codebuild/output/src/demo"


class Recorder:
    """A Report that keeps what it is told."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.results: dict[str, PhaseResult] = {}
        self.lines: list[str] = []
        self.data = b""
        self.begun = threading.Event()

    def phase_started(self, phase_type: str, started_at: datetime, *, is_brief: bool = False) -> None:
        self.started.append(phase_type)

    def phase_ended(self, result: PhaseResult) -> None:
        self.results[result.type] = result

    def output(self, data: bytes) -> None:
        self.data += data
        self.lines += data.decode().splitlines()
        self.begun.set()

    def line(self, text: str) -> None:
        self.lines.append(text)

    @property
    def said(self) -> list[str]:
        """The lines without CodeBuild's prefix."""
        return [line.split(" ", 3)[3] if line.startswith("[Container]") else line for line in self.lines]


class Build:
    """One run: the result, what was reported, the executor."""

    def __init__(self, text: str, *, executor: FakeExecutor | None = None, image: str = "base", **options) -> None:
        self.executor = executor or FakeExecutor()
        self.report = Recorder()
        self.interruption = options.pop("interruption", Interruption())
        self.plan = Plan(
            spec=Spec("demo:1", image, 2**30, 1),
            timeout_seconds=options.pop("timeout_seconds", 60.0),
            admit=options.pop("admit", None) or (lambda: None),
            download=options.pop("download", None) or (lambda tools: self.prepared(text)),
            upload=options.pop("upload", None) or (lambda tools, prepared: None),
        )

    def prepared(self, text: str) -> Prepared:
        spec = buildspec.parse(text)
        return Prepared(spec, f"{DIRECTORY}/buildspec.yml", spec.variables, DIRECTORY, lambda name: name != "HIDDEN")

    def run(self) -> Result:
        return phases.run(self.plan, self.executor, self.report, self.interruption)

    @property
    def statuses(self) -> dict[str, str | None]:
        return {name: result.status for name, result in self.report.results.items()}

    def context(self, phase_type: str) -> Context:
        return self.report.results[phase_type].contexts[0]


def spec(version: str = "0.2", head: str = "", **blocks: object) -> str:
    """A buildspec from phase to its commands, or to a dict of its keys."""
    lines = [f"version: {version}", *([head] if head else []), "phases:"]
    for phase, block in blocks.items():
        lines.append(f"  {phase}:")
        for key, value in (block if isinstance(block, dict) else {"commands": block}).items():
            lines.append(f"    {key}: {value}")
    return "\n".join(lines) + "\n"


def test_all_phases_run_in_order_and_the_build_succeeds():
    build = Build(spec(install=["echo 1"], pre_build=["echo 2"], build=["echo 3"], post_build=["echo 4"]))
    assert build.run().status == "SUCCEEDED"
    assert build.report.data == b"1\n2\n3\n4\n"
    assert build.report.started == [
        "PROVISIONING",
        "DOWNLOAD_SOURCE",
        "INSTALL",
        "PRE_BUILD",
        "BUILD",
        "POST_BUILD",
        "UPLOAD_ARTIFACTS",
        "FINALIZING",
        "COMPLETED",
    ]
    assert set(build.statuses.values()) == {"SUCCEEDED"} and "COMPLETED" not in build.statuses
    assert build.context("BUILD") == Context("", "")
    assert build.executor.calls[0] == "provision" and build.executor.calls[-1] == "end"


def test_phases_that_the_file_leaves_out_appear_and_succeed():
    build = Build(spec(build=["true"]))
    build.run()
    assert build.statuses["INSTALL"] == build.statuses["POST_BUILD"] == "SUCCEEDED"
    assert " BUILD: 1 commands" in build.report.said and "Phases found in YAML: 1" in build.report.said


@pytest.mark.parametrize("failing", ["install", "pre_build"])
def test_a_failure_before_build_leads_to_finalizing(failing):
    blocks = {"install": ["true"], "pre_build": ["true"], "build": ["echo never"], failing: ["exit 2", "echo never"]}
    build = Build(spec(**blocks))
    assert build.run().status == "FAILED"
    assert build.report.started[-2:] == ["FINALIZING", "COMPLETED"]
    assert "BUILD" not in build.statuses and "UPLOAD_ARTIFACTS" not in build.statuses
    assert b"never" not in build.report.data


def test_after_a_failed_build_post_build_and_artifacts_still_run():
    build = Build(spec(build=["exit 3"], post_build=["echo after"]))
    assert build.run().status == "FAILED"
    assert [build.statuses[name] for name in ("BUILD", "POST_BUILD", "UPLOAD_ARTIFACTS")] == [
        "FAILED",
        "SUCCEEDED",
        "SUCCEEDED",
    ]
    assert build.executor.succeeding == [True, False]
    assert build.context("BUILD") == Context(
        "COMMAND_EXECUTION_ERROR", "Error while executing command: exit 3. Reason: exit status 3"
    )
    for line in (
        "Entering phase BUILD",
        "Running command exit 3",
        "Command did not exit successfully exit 3 exit status 3",
        "Phase complete: BUILD State: FAILED",
        "Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: exit 3. "
        "Reason: exit status 3",
    ):
        assert line in build.report.said


def test_what_ended_a_command_from_outside_stands_in_the_context():
    build = Build(spec(build=["exit 137"]))
    build.run()
    assert build.context("BUILD").message.endswith("Reason: exit status 137: this fake has no memory left")


def test_nothing_runs_after_the_build_s_container_was_ended_for_what_it_did():
    build = Build(spec(build={"commands": ["overfill"], "finally": ["echo never"]}, post_build=["echo never"]))
    assert build.run().status == "FAILED"
    assert build.context("BUILD") == Context("CLIENT_ERROR", "The build was ended because of its files.")
    assert build.report.started[-2:] == ["FINALIZING", "COMPLETED"] and b"never" not in build.report.data


def test_finally_runs_after_a_failure_and_its_own_failure_fails_the_phase():
    build = Build(spec(build={"commands": ["exit 3", "echo skipped"], "finally": ["echo cleanup"]}))
    build.run()
    assert build.report.data == b"cleanup\n"
    assert build.executor.succeeding == [True, False]
    build = Build(spec(build={"commands": ["echo fine"], "finally": ["exit 9"]}))
    assert build.run().status == "FAILED"
    assert build.context("BUILD").message.endswith("Reason: exit status 9")


def test_on_failure_continue_goes_on_but_the_build_stays_failed():
    build = Build(spec(install={"commands": ["exit 1"], "on-failure": "CONTINUE"}, build=["echo built"]))
    assert build.run().status == "FAILED"
    assert build.report.data == b"built\n"


def test_on_failure_abort_in_build_skips_post_build():
    build = Build(spec(build={"commands": ["exit 1"], "on-failure": "ABORT"}, post_build=["echo never"]))
    build.run()
    assert "POST_BUILD" not in build.statuses and "FINALIZING" in build.statuses


def test_on_failure_retry_tries_again_only_where_the_output_matches():
    retry = {"commands": ["echo network is down", "exit 1"], "on-failure": "RETRY-2-network"}
    build = Build(spec(build=retry))
    assert build.run().status == "FAILED"
    assert build.executor.commands.count("exit 1") == 3
    build = Build(spec(build={**retry, "on-failure": "RETRY-2-disk"}))
    build.run()
    assert build.executor.commands.count("exit 1") == 1
    build = Build(spec(build={**retry, "on-failure": "RETRY-1-exit status 1"}))
    build.run()
    assert build.executor.commands.count("exit 1") == 2
    assert "Phase BUILD failed, retrying it; 0 retries are left" in build.report.said
    build = Build(spec(build={**retry, "on-failure": "RETRY-0"}))
    build.run()
    assert build.executor.commands.count("exit 1") == 1


@pytest.mark.parametrize(
    ("failing", "on_failure", "runs"),
    [
        ("install", "", "INSTALL"),
        ("install", "ABORT", "INSTALL"),
        ("install", "CONTINUE", "INSTALL PRE_BUILD BUILD POST_BUILD UPLOAD_ARTIFACTS"),
        ("install", "RETRY-1", "INSTALL"),
        ("pre_build", "", "INSTALL PRE_BUILD"),
        ("pre_build", "ABORT", "INSTALL PRE_BUILD"),
        ("pre_build", "CONTINUE", "INSTALL PRE_BUILD BUILD POST_BUILD UPLOAD_ARTIFACTS"),
        ("build", "", "INSTALL PRE_BUILD BUILD POST_BUILD UPLOAD_ARTIFACTS"),
        ("build", "ABORT", "INSTALL PRE_BUILD BUILD"),
        ("build", "CONTINUE", "INSTALL PRE_BUILD BUILD POST_BUILD UPLOAD_ARTIFACTS"),
        ("build", "RETRY-1", "INSTALL PRE_BUILD BUILD POST_BUILD UPLOAD_ARTIFACTS"),
        ("post_build", "", "INSTALL PRE_BUILD BUILD POST_BUILD UPLOAD_ARTIFACTS"),
        ("post_build", "ABORT", "INSTALL PRE_BUILD BUILD POST_BUILD"),
        ("post_build", "CONTINUE", "INSTALL PRE_BUILD BUILD POST_BUILD UPLOAD_ARTIFACTS"),
    ],
)
def test_what_follows_a_failed_phase(failing: str, on_failure: str, runs: str):
    blocks: dict[str, object] = {name: ["true"] for name in ("install", "pre_build", "build", "post_build")}
    blocks[failing] = {"commands": ["exit 1"], **({"on-failure": on_failure} if on_failure else {})}
    build = Build(spec(**blocks))
    assert build.run().status == "FAILED"
    assert build.report.started == [
        "PROVISIONING", "DOWNLOAD_SOURCE", *runs.split(), "FINALIZING", "COMPLETED"
    ]  # fmt: skip
    assert [name for name, status in build.statuses.items() if status != "SUCCEEDED"] == [failing.upper()]


def test_what_a_file_says_in_vain_stands_in_the_log():
    text = spec(build=["true"]) + (
        "batch: {build-fanout: {parallelism: 2}}\nreports: {unit: {files: [a.xml]}}\n"
        "proxy: {logs: yes}\nartifacts: {files: [a], discard-path: yes}\n"
    )
    build = Build(text)
    build.run()
    for line in (
        "Warning: line 8, artifacts.discard-path: is no known key and is ignored. Did you mean discard-paths?",
        "The block batch counts for batch builds only, which this server does not run",
        "The block reports is not carried out by this server: no test results are collected",
        "The block proxy has no effect: artifacts and logs never leave through the container",
    ):
        assert line in build.report.said


def test_a_missing_image_ends_the_build_after_provisioning():
    build = Build(spec(build=["true"]), executor=FakeExecutor(missing_image="nothing:1"), image="nothing:1")
    assert build.run().status == "FAILED"
    assert build.report.started == ["PROVISIONING", "COMPLETED"]
    assert build.context("PROVISIONING").status_code == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"
    assert build.executor.calls[-1] == "end"


def test_a_source_that_cannot_be_had_fails_download_source():
    def download(tools):
        raise PhaseError("YAML_FILE_ERROR", "YAML file does not exist")

    build = Build("", download=download)
    assert build.run().status == "FAILED"
    assert build.report.started == ["PROVISIONING", "DOWNLOAD_SOURCE", "FINALIZING", "COMPLETED"]
    assert "Phase context status code: YAML_FILE_ERROR Message: YAML file does not exist" in build.report.said


def test_a_failed_upload_fails_the_build():
    def upload(tools, prepared):
        raise PhaseError("CLIENT_ERROR", "no matching artifact paths found")

    build = Build(spec(build=["true"]), upload=upload)
    assert build.run().status == "FAILED"
    assert build.statuses["UPLOAD_ARTIFACTS"] == "FAILED" and build.statuses["FINALIZING"] == "SUCCEEDED"


def test_a_dead_container_and_an_error_of_ours_are_faults():
    build = Build(spec(build=["die"], post_build=["echo never"]))
    assert build.run().status == "FAULT"
    assert build.statuses["BUILD"] == "FAULT" and "POST_BUILD" not in build.statuses

    def upload(tools, prepared):
        raise OSError("disk is full")

    build = Build(spec(build=["true"]), upload=upload)
    assert build.run().status == "FAULT"
    assert build.context("UPLOAD_ARTIFACTS").status_code == "INTERNAL_SERVICE_ERROR"
    assert "disk is full" not in build.context("UPLOAD_ARTIFACTS").message


@pytest.fixture
def over_at_output(monkeypatch):
    """A build's time is over as soon as it has printed something, however long that takes."""

    def prepare(build: Build) -> Build:
        class Timer:
            def __init__(self, seconds: float, function: Callable[..., None], args: tuple[str, ...]) -> None:
                assert seconds == 60.0
                self._thread = threading.Thread(
                    target=lambda: build.report.begun.wait() and function(*args), daemon=True
                )

            def start(self) -> None:
                self._thread.start()

            def cancel(self) -> None:
                pass

        monkeypatch.setattr(phases.threading, "Timer", Timer)
        return build

    return prepare


def test_a_build_that_takes_too_long_is_timed_out():
    build = Build(spec(build=["sleep 60"], post_build=["echo never"]), timeout_seconds=0.2)
    assert build.run().status == "TIMED_OUT"


def test_a_time_out_ends_the_running_phase(over_at_output):
    build = over_at_output(Build(spec(build=["echo begun", "sleep 60"], post_build=["echo never"])))
    assert build.run().status == "TIMED_OUT"
    assert build.statuses["BUILD"] == "TIMED_OUT"
    assert build.context("BUILD") == Context("BUILD_TIMED_OUT", "Build has timed out. ")
    assert build.report.started[-2:] == ["FINALIZING", "COMPLETED"]


def test_a_failure_before_the_time_out_stays_visible_but_the_build_is_timed_out(over_at_output):
    build = over_at_output(Build(spec(build=["exit 1"], post_build=["echo begun", "sleep 60"])))
    assert build.run().status == "TIMED_OUT"
    assert (build.statuses["BUILD"], build.statuses["POST_BUILD"]) == ("FAILED", "TIMED_OUT")


@pytest.mark.parametrize("reason", [STOPPED, LOST])
def test_an_interruption_ends_the_running_phase(reason):
    build = Build(spec(build=["echo begun", "sleep 60"]))
    runner = threading.Thread(target=lambda: results.append(build.run()))
    results: list[Result] = []
    runner.start()
    assert build.report.begun.wait(60)
    build.interruption.raise_for(reason)
    runner.join(60)
    assert results[0].status == reason
    if reason == STOPPED:
        assert build.statuses["BUILD"] == "STOPPED" and build.report.started[-1] == "COMPLETED"
    else:  # somebody else writes to the build by now
        assert "BUILD" not in build.statuses and build.report.started[-1] == "BUILD"
    assert build.executor.calls[-1] == "end"


def test_a_build_stopped_before_it_begins_runs_nothing():
    interruption = Interruption()
    interruption.raise_for(STOPPED)
    build = Build(spec(build=["true"]), interruption=interruption)
    assert build.run().status == "STOPPED"
    assert build.executor.commands == []


def test_exported_variables_are_read_after_post_build():
    text = spec(
        head="env: {exported-variables: [ANSWER, UNSET, HIDDEN], variables: {HIDDEN: x}}",
        build=["export ANSWER=41"],
        post_build=["export ANSWER=42"],
    )
    build = Build(text)
    assert build.run().exported_variables == {"ANSWER": "42"}


def test_commands_run_as_the_user_of_the_phase_or_of_the_file():
    text = spec(head="run-as: ada", build=["true"], post_build={"commands": ["true"], "run-as": "bob"})
    build = Build(text)
    build.run()
    assert build.executor.users == ["ada", "bob"]


def test_version_01_runs_each_command_anew():
    build = Build(spec("0.1", build=["cd deeper", "pwd"]))
    build.run()
    assert build.report.data == f"{DIRECTORY}\n".encode()


def test_a_long_command_stands_whole_in_the_log_but_not_in_the_context():
    long = "echo " + "x" * 5000 + " && exit 1"
    build = Build(spec(build=[long]))
    build.run()
    assert f"Running command {long}" in build.report.said
    assert len(build.context("BUILD").message) < 2200
