"""Run a claimed build to its end."""

from __future__ import annotations

import contextlib
import logging

from django.utils import timezone

from builds import lease, running
from builds.keeper import LeaseKeeper
from builds.lifecycle import endings
from builds.logs.text import timestamp
from builds.models import Build, Status
from builds.reporter import Reporter
from builds.runner import phases
from builds.runner.executor import LOST, TIMED_OUT

logger = logging.getLogger(__name__)


def run(build: Build) -> str:
    """Run a claimed build to its end; the status it ended with, or LOST where another has ended it.

    Its container is removed behind its end, when all know of that: what a build wrote may take seconds to delete. A
    worker that dies meanwhile leaves it to the reaper.
    """
    with contextlib.ExitStack() as behind:
        return _run(build, behind)


def _run(build: Build, behind: contextlib.ExitStack) -> str:
    with Reporter(build) as report, LeaseKeeper(build, report.interruption, lambda: _end_overdue(build, report)):
        try:
            executor = behind.enter_context(contextlib.closing(running.executor()))
            result = phases.run(running.plan(build, report), executor, report, report.interruption)
        except lease.LeaseLost:
            return _lost(build, report)
        except Exception as error:  # a defect of ours must not leave the build to its lease's end
            logger.exception("build %s", build.pk)
            report.abandon_log()
            message = f"An error of this server ended the build ({type(error).__name__}); its log has the details."
            with contextlib.suppress(lease.LeaseLost):
                endings.end(build, Status.FAULT, "INTERNAL_SERVICE_ERROR", message)
            return Status.FAULT
        if result.status == LOST:
            return _lost(build, report)
        summary = report.close_log()
        try:
            endings.finish(
                build,
                result.status,
                phases=report.untold,
                exported_variables=result.exported_variables,
                line_count=summary.line_count if summary is not None else None,
            )
        except lease.LeaseLost:
            logger.warning("build %s was taken from this worker at its very end", build.pk)
            return LOST
        return result.status


def _lost(build: Build, report: Reporter) -> str:
    logger.warning("build %s was taken from this worker", build.pk)
    report.abandon_log()
    return LOST


def _end_overdue(build: Build, report: Reporter) -> None:
    """End an interrupted build whose own thread is stuck in a call. It finds its lease lost when the call returns."""
    interruption = report.interruption
    if interruption.reason == LOST:
        return
    status, code, message = Status.STOPPED.value, "", interruption.message
    if interruption.reason == TIMED_OUT:
        status, (code, message) = Status.TIMED_OUT.value, endings.TIMED_OUT_CONTEXT
    logger.warning("build %s is %s while its worker is stuck in a call", build.pk, status)
    why = ": ".join(filter(None, (code, message)))
    summary = report.take_log([f"{timestamp(timezone.now())} {why}"] if why else [])
    with contextlib.suppress(lease.LeaseLost):
        line_count = summary.line_count if summary is not None else None
        endings.end_phases(build, status, code, message, line_count=line_count)
