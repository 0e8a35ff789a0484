"""A plan and an Executor to phase results: order, transitions, `finally`, on-failure, time-out, stop.

The transitions and the log's lines are CodeBuild's (User Guide, "Build phase transitions"; captured logs): a failed
INSTALL or PRE_BUILD leads to FINALIZING, a failed BUILD still to POST_BUILD, then to UPLOAD_ARTIFACTS.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from builds.buildspec import PHASES, Buildspec
from builds.logs.text import timestamp
from builds.runner import retry
from builds.runner.executor import (
    LOST,
    TIMED_OUT,
    Executor,
    Interrupted,
    Interruption,
    PhaseError,
    Start,
)
from builds.runner.plan import MAX_EXPORTED_BYTES, Context, PhaseResult, Plan, Prepared, Report, Result

logger = logging.getLogger(__name__)

SUCCEEDED, FAILED, FAULT, STOPPED = "SUCCEEDED", "FAILED", "FAULT", "STOPPED"
PROVISIONING, DOWNLOAD_SOURCE = "PROVISIONING", "DOWNLOAD_SOURCE"
UPLOAD_ARTIFACTS, FINALIZING, COMPLETED = "UPLOAD_ARTIFACTS", "FINALIZING", "COMPLETED"
COMMAND_PHASES = {"install": "INSTALL", "pre_build": "PRE_BUILD", "build": "BUILD", "post_build": "POST_BUILD"}
# A command stands whole in the log, but not in a phase's context.
MAX_CONTEXT_COMMAND = 2000
# How much of a phase's output an on-failure pattern is looked for in.
RETRY_TAIL_BYTES = 64 * 1024


def run(plan: Plan, executor: Executor, report: Report, interruption: Interruption | None = None) -> Result:
    """Run a build from PROVISIONING to COMPLETED; raises only what `report` raises.

    In any case all that ran in the executor has ended. To close it, which may take seconds, is left to the caller:
    nobody has to wait for that to know how the build ended.
    """
    return _Run(plan, executor, report, interruption or Interruption()).run()


class _Ended(Exception):
    """No further phase but FINALIZING may run."""


class _Run:
    """The state of one build while it runs; also the Tools of the plan's steps."""

    def __init__(self, plan: Plan, executor: Executor, report: Report, interruption: Interruption) -> None:
        self.plan = plan
        self.executor = executor
        self.report = report
        self.interruption = interruption
        self.results: list[PhaseResult] = []
        self.exported: dict[str, str] = {}
        self.status = SUCCEEDED
        self.tail: bytearray | None = None

    # ---- Tools -------------------------------------------------------------------------------------------------------

    @property
    def failed_phases(self) -> frozenset[str]:
        return frozenset(one.type for one in self.results if one.status not in (SUCCEEDED, None))

    def note(self, sentence: str) -> None:
        self.report.line(f"{timestamp(datetime.now(UTC))} {sentence}")

    def check(self) -> None:
        self.interruption.check()

    def capture(self, command: str, max_bytes: int = MAX_EXPORTED_BYTES) -> bytes | None:
        pieces = bytearray()

        def keep(data: bytes) -> None:
            if len(pieces) <= max_bytes:
                pieces.extend(data)

        status = self.executor.run(command, keep, is_succeeding=self.status == SUCCEEDED)
        return bytes(pieces) if status == 0 and len(pieces) <= max_bytes else None

    # ---- the whole way -----------------------------------------------------------------------------------------------

    def run(self) -> Result:
        self.interruption.bind(self.executor.interrupt)
        timer = threading.Timer(self.plan.timeout_seconds, self.interruption.raise_for, (TIMED_OUT,))
        timer.daemon = True
        timer.name = "build-timeout"
        timer.start()
        has_ended = False
        try:
            with contextlib.suppress(_Ended):
                self._phases()
            if self.interruption.reason != LOST:
                # Nothing was made where PROVISIONING failed: COMPLETED follows at once.
                if self.results[-1].type != PROVISIONING:
                    with contextlib.suppress(_Ended), self._phase(FINALIZING, is_last=True):
                        self.executor.end()
                        has_ended = True
                self._complete()
        finally:
            timer.cancel()
            if self.interruption.reason == LOST:
                self.status = LOST
            if not has_ended:
                self.executor.end()
        return Result(self.status, tuple(self.results), self.exported)

    def _phases(self) -> None:
        with self._phase(PROVISIONING, is_fatal=True):
            self.note("Running on CodeBuild On-demand")
            self.plan.admit()
            self.note("Waiting for agent ping")
            self.executor.provision(self.plan.spec, self.note)
        with self._phase(DOWNLOAD_SOURCE, is_fatal=True):
            self.note("Phase is DOWNLOAD_SOURCE")
            prepared = self.plan.download(self)
            self._tell(prepared)
            buildspec = prepared.buildspec
            is_shared = buildspec.version != "0.1"
            self.executor.start(
                Start(prepared.variables, prepared.directory, buildspec.shell, is_shared, prepared.files)
            )
            self.plan.restore(self, prepared)
        for name in PHASES:
            phase_type = COMMAND_PHASES[name]
            spec = buildspec.phases[name]
            # A failed INSTALL or PRE_BUILD ends it, a failed BUILD only where on-failure says ABORT.
            action = spec.on_failure.action
            is_fatal = action == "ABORT" or (action != "CONTINUE" and name in ("install", "pre_build"))
            exports = name == "post_build" and buildspec.exported_variables
            is_brief = not (spec.commands or spec.finally_commands or exports)
            with self._phase(phase_type, is_fatal=is_fatal, is_brief=is_brief):
                self.note(f"Entering phase {phase_type}")
                self._attempts(name, buildspec)
                if name == "post_build":
                    self._export(prepared)
        with self._phase(UPLOAD_ARTIFACTS):
            self.plan.upload(self, prepared)

    def _tell(self, prepared: Prepared) -> None:
        buildspec = prepared.buildspec
        self.note(f"CODEBUILD_SRC_DIR={prepared.directory}")
        self.note(f"YAML location is {prepared.buildspec_location}")
        self.note("Processing environment variables")
        for sentence in prepared.runtime_notes:
            self.note(sentence)
        for warning in buildspec.warnings:
            self.note(f"Warning: {warning}")
        for sentence in buildspec.without_effect():
            self.note(sentence)
        self.note(f"Moving to directory {prepared.directory}")
        if buildspec.cache is None:
            self.note("Cache is not defined in the buildspec")
        self.note("Registering with agent")
        present = [name for name in PHASES if buildspec.phases[name].is_present]
        self.note(f"Phases found in YAML: {len(present)}")
        for name in present:
            self.note(f" {COMMAND_PHASES[name]}: {len(buildspec.phases[name].commands)} commands")

    # ---- one phase ---------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _phase(
        self, phase_type: str, *, is_fatal: bool = False, is_last: bool = False, is_brief: bool = False
    ) -> Iterator[None]:
        """Time a phase and turn what its block raises into its status; _Ended where nothing more may follow."""
        started_at, started = datetime.now(UTC), time.monotonic()
        self.report.phase_started(phase_type, started_at, is_brief=is_brief)
        status, context = SUCCEEDED, Context()
        ends = False
        try:
            if not is_last:
                self.interruption.check()
            yield
        except Interrupted:
            ends, (status, context) = True, self._interrupted()
        except PhaseError as error:
            # A killed container makes many calls fail; the reason is then the interruption.
            if self.interruption.reason and not is_last:
                ends, (status, context) = True, self._interrupted()
            else:
                ends = is_fatal or error.is_final
                status = FAULT if error.is_fault else FAILED
                context = Context(error.status_code, error.message)
        except Exception as error:  # a defect of ours must end the build with a reason, not leave it running
            logger.exception("%s of %s", phase_type, self.plan.spec.build_id)
            if self.interruption.reason and not is_last:
                ends, (status, context) = True, self._interrupted()
            else:
                ends, status = True, FAULT
                message = f"An error of this server ended the phase ({type(error).__name__}); its log has the details."
                context = Context("INTERNAL_SERVICE_ERROR", message)
        if self.interruption.reason == LOST:
            self.status = LOST
            raise _Ended
        # The clock of the machine may jump; what lasted is measured by one that doesn't.
        duration_seconds = time.monotonic() - started
        result = PhaseResult(phase_type, status, started_at, datetime.now(UTC), duration_seconds, (context,))
        self._tell_end(result, context)
        self.results.append(result)
        self.report.phase_ended(result)
        if status != SUCCEEDED and (self.status == SUCCEEDED or status != FAILED):
            self.status = status
        if ends:
            raise _Ended

    def _interrupted(self) -> tuple[str, Context]:
        if self.interruption.reason == TIMED_OUT:
            return TIMED_OUT, Context("BUILD_TIMED_OUT", "Build has timed out. ")
        return STOPPED, Context("", self.interruption.message)

    def _tell_end(self, result: PhaseResult, context: Context) -> None:
        if result.type == PROVISIONING and result.status == SUCCEEDED:
            return
        self.note(f"Phase complete: {result.type} State: {result.status}")
        self.note(f"Phase context status code: {context.status_code} Message: {context.message}")

    def _complete(self) -> None:
        at = datetime.now(UTC)
        result = PhaseResult(COMPLETED, None, at, None, 0.0, ())
        self.results.append(result)
        self.report.phase_started(COMPLETED, at, is_brief=True)

    # ---- commands ----------------------------------------------------------------------------------------------------

    def _attempts(self, name: str, buildspec: Buildspec) -> None:
        """A phase's commands, again where on-failure is RETRY and the output matches its pattern."""
        spec = buildspec.phases[name]
        retries = spec.on_failure.retries
        while True:
            self.tail = bytearray() if retries else None
            try:
                self._commands(spec.commands, spec.finally_commands, buildspec.user(name))
                return
            except PhaseError as error:
                if error.is_final or retries <= 0 or not self._matches(spec.on_failure.pattern, error):
                    raise
                retries -= 1
                self.note(f"Phase {COMMAND_PHASES[name]} failed, retrying it; {retries} retries are left")
            finally:
                self.tail = None

    def _matches(self, pattern: str, error: PhaseError) -> bool:
        """Whether the end of the phase's output or its context's message holds the pattern."""
        return retry.matches(pattern, f"{(self.tail or b'').decode('utf-8', 'replace')}\n{error.message}")

    def _commands(self, commands: Sequence[str], finally_commands: Sequence[str], user: str) -> None:
        """Commands up to the first that fails, then `finally` in any case; the first failure is the phase's."""
        failure: PhaseError | None = None
        for group in (commands, finally_commands):
            for command in group:
                try:
                    self._command(command, user, is_succeeding=failure is None and self.status == SUCCEEDED)
                except PhaseError as error:
                    if error.is_final:
                        raise
                    failure = failure or error
                    break
        if failure is not None:
            raise failure

    def _command(self, command: str, user: str, *, is_succeeding: bool) -> None:
        text = command.rstrip("\n")
        self.report.line("")
        self.note(f"Running command {text}")
        status = self.executor.run(command, self._output, user=user, is_succeeding=is_succeeding)
        if status != 0:
            self.report.line("")
            self.note(f"Command did not exit successfully {text} exit status {status}")
            short = text if len(text) <= MAX_CONTEXT_COMMAND else text[:MAX_CONTEXT_COMMAND] + "…"
            why = self.executor.why(status)
            reason = f"exit status {status}" + (f": {why}" if why else "")
            raise PhaseError("COMMAND_EXECUTION_ERROR", f"Error while executing command: {short}. Reason: {reason}")

    def _output(self, data: bytes) -> None:
        self.report.output(data)
        if self.tail is not None:
            self.tail.extend(data)
            del self.tail[:-RETRY_TAIL_BYTES]

    def _export(self, prepared: Prepared) -> None:
        """Read env.exported-variables; a variable that isn't set is left out."""
        for name in prepared.buildspec.exported_variables:
            if not prepared.may_export(name):
                self.note(f"{name} is not exported: it is secret, reserved or no variable's name")
                continue
            value = self.capture(f'test -n "${{{name}+x}}" && printf %s "${{{name}}}"')
            if value is not None:
                self.exported[name] = value.decode("utf-8", "replace")
