"""A stop at every moment of a build, with an executor that hangs there: it is over, and stays over."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection

from builds import buildspec, keeper, lifecycle, running
from builds.lifecycle import stops
from builds.logs import download
from builds.models import Build
from builds.runner.plan import Plan, Prepared
from tests import factories
from tests.executors import FakeExecutor
from tests.fixtures.installation import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server", "no_broker")]

BUILDSPEC = "version: 0.2\nphases:\n  build:\n    commands:\n      - echo begun\n"
MOMENTS = {
    "admit": "PROVISIONING",
    "provision": "PROVISIONING",
    "download": "DOWNLOAD_SOURCE",
    "start": "DOWNLOAD_SOURCE",
    "run": "BUILD",
    "upload": "UPLOAD_ARTIFACTS",
    "end": "FINALIZING",
}


class Hanging(FakeExecutor):
    """Hangs in one call, deaf to interruptions, until it is let go."""

    def __init__(self, moment: str) -> None:
        super().__init__()
        self.moment, self.hangs, self.let_go = moment, threading.Event(), threading.Event()

    def hang(self, moment: str) -> None:
        if moment == self.moment:
            self.hangs.set()
            self.let_go.wait(120)

    def provision(self, *arguments: Any) -> None:
        self.hang("provision")
        super().provision(*arguments)

    def start(self, *arguments: Any) -> None:
        self.hang("start")
        super().start(*arguments)

    def run(self, *arguments: Any, **options: Any) -> int:
        status = super().run(*arguments, **options)
        self.hang("run")
        return status

    def end(self) -> None:
        self.hang("end")
        super().end()


def plan_of(executor: Hanging, original: Any) -> Any:
    """The plan of a build without source, whose steps hang where the executor says."""

    def plan(build: Build, report: Any) -> Plan:
        def download(tools: Any) -> Prepared:
            executor.hang("download")
            return Prepared(buildspec.parse(BUILDSPEC), "buildspec.yml", {}, "/src")

        return replace(
            original(build, report),
            admit=lambda: executor.hang("admit"),
            download=download,
            restore=lambda tools, prepared: None,
            upload=lambda tools, prepared: executor.hang("upload"),
        )

    return plan


def test_what_a_stop_waits_for_comes_to_less_than_five_seconds():
    """Also while Redis is away, or the worker: what else it takes depends on the machine, and is measured."""
    assert keeper.LOOK_SECONDS + keeper.INTERRUPT_SECONDS + keeper.PATIENCE_SECONDS < 5
    assert stops.PATIENCE_SECONDS < 5


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_stop_is_final_also_while_the_worker_hangs(db, monkeypatch, moment):
    executor = Hanging(moment)
    monkeypatch.setattr(running, "plan", plan_of(executor, running.plan))
    monkeypatch.setattr(running, "executor", lambda: executor)
    monkeypatch.setattr(keeper, "PATIENCE_SECONDS", 0.3)
    factories.project(repository_name=None, buildspec=BUILDSPEC)
    build = lifecycle.claim(lifecycle.start_build(factories.SERVICE, "demo").pk)
    ended: list[str] = []

    def work() -> None:
        try:
            ended.append(lifecycle.run(build))
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert executor.hangs.wait(60)
        lifecycle.stop_build(factories.SERVICE, Build.objects.get(pk=build.pk))
        wait_for(lambda: Build.objects.get(pk=build.pk).is_finished, seconds=60, what="the build is over")
        found = Build.objects.get(pk=build.pk)
        phase = found.phases.get(phase_type=MOMENTS[moment])
        assert (found.status, phase.status) == ("STOPPED", "STOPPED")
        assert phase.contexts[0]["message"] == found.stop_reason == f"Stopped by {factories.SERVICE.name}."
        log = b"".join(download.whole(found, "raw")).decode()
        assert found.is_log_complete and found.stop_reason in log.splitlines()[-1]
    finally:
        executor.let_go.set()
        worker.join()
    # The thread that comes back finds that nothing is its own any more, and cleans up.
    assert ended == ["LOST"]
    assert executor.calls[-1] == "close"
    after = Build.objects.get(pk=build.pk)
    assert (after.status, after.ended_at, after.log_line_count) == ("STOPPED", found.ended_at, found.log_line_count)
    assert [one.status for one in after.phases.all()] == [one.status for one in found.phases.all()]


def test_a_container_is_removed_when_all_know_how_its_build_ended(db, monkeypatch):
    known: list[tuple[str, bool]] = []

    class Told(Hanging):
        def close(self) -> None:
            found = Build.objects.get(pk=build.pk)
            known.append((found.status, found.is_log_complete))
            super().close()

    executor = Told("never")
    monkeypatch.setattr(running, "plan", plan_of(executor, running.plan))
    monkeypatch.setattr(running, "executor", lambda: executor)
    factories.project(repository_name=None, buildspec=BUILDSPEC)
    build = lifecycle.claim(lifecycle.start_build(factories.SERVICE, "demo").pk)
    assert lifecycle.run(build) == "SUCCEEDED"
    assert executor.calls[-2:] == ["end", "close"]
    assert known == [("SUCCEEDED", True)]
