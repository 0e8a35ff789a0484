"""The queue in the database: limits, turns, priorities, superseded builds, retries, and claims that race."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from builds import branches, host, lease, lifecycle, tasks
from builds.lifecycle import stops
from builds.models import Build, Priority, Project
from codeservices.errors import InvalidInput, LimitExceeded
from tests import factories, gitrepo

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server", "no_broker")]


@pytest.fixture(autouse=True)
def _engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that answers; none is needed to wait for it."""
    monkeypatch.setattr(host, "engine_refusal", lambda: "")
    monkeypatch.setattr(host, "docker_root", lambda docker_host: None)
    monkeypatch.setattr(host, "_known", None)


def project(name: str = "demo", **fields: Any) -> Project:
    made = factories.project(name, repository_name=None, buildspec="version: 0.2\nphases: {build: {commands: [true]}}")
    for field, value in fields.items():
        setattr(made, field, value)
    made.save()
    return made


def start(of: Project, **overrides: Any) -> Build:
    return lifecycle.start_build(factories.SERVICE, of.name, overrides)


def take() -> int | None:
    """The next build's number in its project, and its project, as a free worker takes it."""
    build = lifecycle.claim_next()
    return build.pk if build else None


def at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    """The answers of so many threads that begin together, each with a connection of its own."""
    found: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def run(place: int) -> None:
        barrier.wait()
        try:
            found[place] = act(place)
        except Exception as error:
            found[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(count)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return found


# ---- whose turn it is ------------------------------------------------------------------------------------------------


def test_workers_take_turns_among_projects_and_heed_priorities(db):
    busy, small, urgent = project("busy"), project("small"), project("urgent", priority=Priority.HIGH)
    first, second = start(busy), start(busy)
    other, quick = start(small), start(urgent)
    assert [take() for _ in range(5)] == [quick.pk, first.pk, other.pk, second.pk, None]


def test_the_message_s_build_is_not_the_one_that_runs_where_another_is_next(db, monkeypatch):
    ran: list[int] = []
    monkeypatch.setattr(lifecycle, "run", lambda build: ran.append(build.pk))
    low = start(project("low", priority=Priority.LOW))
    high = start(project("high", priority=Priority.HIGH))
    tasks.run_build(low.pk)
    tasks.run_build(high.pk)
    assert ran == [high.pk, low.pk]


def test_a_project_at_its_limit_waits_and_says_so(db):
    limited = project(concurrent_build_limit=1)
    first, second, third = start(limited), start(limited), start(limited)
    assert [take(), take()] == [first.pk, None]
    wait = lifecycle.wait_of(third)
    assert wait is not None
    assert (wait.position, wait.total) == (2, 2)
    assert wait.reason == "demo runs one build at a time, and that one runs."
    lifecycle.finish(Build.objects.get(pk=first.pk), "SUCCEEDED", line_count=0)
    assert [take(), take()] == [second.pk, None]
    assert lifecycle.wait_of(Build.objects.get(pk=second.pk)) is None


def test_an_ended_build_wakes_what_waited_for_its_place(db, no_broker, monkeypatch):
    limited = project(concurrent_build_limit=1)
    first, second = start(limited), start(limited)
    monkeypatch.setattr(lifecycle, "run", lambda build: lifecycle.finish(build, "SUCCEEDED", line_count=0))
    no_broker.clear()
    tasks.run_build(first.pk)
    assert no_broker == [second.pk]
    tasks.run_build(second.pk)
    assert no_broker == [second.pk]


@pytest.mark.parametrize("limit", [1, 3])
def test_workers_that_look_at_once_never_pass_the_limit_nor_share_a_build(db, limit):
    limited, free = project("limited", concurrent_build_limit=limit), project("free")
    for _ in range(4):
        start(limited)
    start(free)
    found = [one for one in at_once(8, lambda place: lifecycle.claim_next()) if one is not None]
    assert all(isinstance(one, Build) for one in found), found
    assert len({one.pk for one in found}) == len(found) == limit + 1
    assert sum(one.project_name == "limited" for one in found) == limit


def test_the_queue_has_an_end(db, settings):
    settings.BUILD_QUEUE_LIMIT = 2
    small = project()
    start(small), start(small)
    with pytest.raises(LimitExceeded, match="Cannot have more than 2 builds in queue for the account") as refused:
        start(small)
    assert refused.value.code == "AccountLimitExceededException"
    assert Build.objects.count() == 2


def test_a_full_disk_starts_nothing_and_the_waiting_build_says_why(db, settings):
    build = start(project())
    settings.BUILD_MIN_FREE_BYTES = 2**62
    assert take() is None
    assert "builds start when there are" in lifecycle.wait_of(build).reason
    settings.BUILD_MIN_FREE_BYTES = 0
    assert take() == build.pk


def test_a_build_waits_while_the_engine_is_away(db, monkeypatch):
    build = start(project())
    monkeypatch.setattr(host, "engine_refusal", lambda: "Docker Engine does not answer: ConnectionError.")
    assert take() is None
    assert "Docker Engine does not answer" in lifecycle.wait_of(build).reason
    monkeypatch.setattr(host, "engine_refusal", lambda: "")
    assert take() == build.pk


# ---- tokens ----------------------------------------------------------------------------------------------------------


def test_one_token_is_one_build_also_when_asked_at_once(db):
    made = project()
    found = at_once(6, lambda place: start(made, idempotencyToken="once").pk)
    assert len(set(found)) == Build.objects.count() == 1, found


def test_a_token_with_other_parameters_is_refused(db):
    made = project()
    start(made, idempotencyToken="once", timeoutInMinutesOverride=7)
    with pytest.raises(InvalidInput, match="with other parameters"):
        start(made, idempotencyToken="once", timeoutInMinutesOverride=8)
    Build.objects.update(started_at=timezone.now() - timedelta(minutes=6))
    start(made, idempotencyToken="once", timeoutInMinutesOverride=8)


# ---- superseded builds -----------------------------------------------------------------------------------------------


def test_a_new_build_of_a_branch_stops_the_older_ones_of_it_alone(db):
    made = project()
    queued, running = start(made, sourceVersion="main"), start(made, sourceVersion="refs/heads/main")
    side, tag = start(made, sourceVersion="side"), start(made, sourceVersion="refs/tags/main")
    held = lifecycle.claim(running.pk)
    Project.objects.update(cancels_superseded=True)
    pushed = start(made, sourceVersion=f"refs/heads/main^{{{'a' * 40}}}")
    queued.refresh_from_db()
    running.refresh_from_db()
    assert (queued.status, queued.stop_reason) == ("STOPPED", f"Superseded by build #{pushed.number} of main.")
    assert queued.phases.get(phase_type="QUEUED").contexts[0]["message"] == queued.stop_reason
    assert (running.status, running.stop_reason) == ("IN_PROGRESS", queued.stop_reason)
    assert running.stop_requested_at is not None and held is not None
    for other in (side, tag, pushed):
        other.refresh_from_db()
        assert (other.status, other.stop_requested_at) == ("IN_PROGRESS", None)


def test_the_default_branch_is_a_branch_too(db):
    gitrepo.commit(factories.repository("demo").git, {"a": "b"})
    made = factories.project()
    made.cancels_superseded = True
    made.save()
    older = lifecycle.start_build(factories.SERVICE, "demo")
    lifecycle.start_build(factories.SERVICE, "demo", {"sourceVersion": "main"})
    older.refresh_from_db()
    assert older.status == "STOPPED"


def test_no_further_message_is_sent_while_one_waits_for_every_worker(db, no_broker, settings):
    settings.BUILD_CONCURRENCY = 2
    build = start(project())
    no_broker.clear()
    with lease.redis_client() as redis:
        redis.delete(lifecycle.QUEUE)
        redis.rpush(lifecycle.QUEUE, "first")
        lifecycle.wake_next()
        assert no_broker == [build.pk]
        redis.rpush(lifecycle.QUEUE, "second")
        lifecycle.wake_next()
        redis.delete(lifecycle.QUEUE)
    assert no_broker == [build.pk]


def test_the_default_branch_is_asked_for_once_for_all_builds_of_a_repository(db, django_assert_num_queries):
    gitrepo.commit(factories.repository("demo").git, {"a": "b"})
    factories.project()
    first, *others = [lifecycle.start_build(factories.SERVICE, "demo") for _ in range(4)]
    with django_assert_num_queries(2):
        assert branches.is_superseded(first)
    with django_assert_num_queries(2):
        assert branches.older_builds(others[-1]) == [*reversed([first, *others[:-1]])]


def test_builds_of_one_branch_started_at_once_leave_the_newest(db):
    made = project(cancels_superseded=True)
    found = at_once(6, lambda place: start(made, sourceVersion="main"))
    assert all(isinstance(one, Build) for one in found), found
    left = Build.objects.filter(status="IN_PROGRESS")
    assert [one.pk for one in left] == [max(one.pk for one in found)]


def test_without_the_option_all_builds_of_a_branch_run(db):
    made = project()
    start(made, sourceVersion="main"), start(made, sourceVersion="main")
    assert Build.objects.filter(status="IN_PROGRESS", stop_requested_at=None).count() == 2


# ---- retries ---------------------------------------------------------------------------------------------------------


def test_a_failed_build_is_retried_as_often_as_its_project_says(db):
    made = project(auto_retry_limit=2)
    numbers = []
    start(made)
    while (build := lifecycle.claim_next()) is not None:
        numbers.append((build.number, build.auto_retry_number))
        lifecycle.finish(build, "FAILED", line_count=0)
    assert numbers == [(1, 0), (2, 1), (3, 2)]
    assert Build.objects.get(number=3).auto_retry_of == Build.objects.get(number=2)


@pytest.mark.parametrize("status", ["SUCCEEDED", "STOPPED"])
def test_what_did_not_fail_is_not_retried(db, status):
    start(project(auto_retry_limit=2))
    lifecycle.finish(lifecycle.claim_next(), status, line_count=0)
    assert Build.objects.count() == 1


def test_neither_is_one_that_never_ran_nor_one_that_was_superseded(db):
    made = project(auto_retry_limit=2, cancels_superseded=True)
    waited = start(made, queuedTimeoutInMinutesOverride=5)
    Build.objects.update(started_at=timezone.now() - timedelta(minutes=6))
    assert lifecycle.claim_next() is None
    waited.refresh_from_db()
    assert (waited.status, Build.objects.count()) == ("TIMED_OUT", 1)
    failing = start(made, sourceVersion="main")
    build = lifecycle.claim(failing.pk)
    Build.objects.create(**{**newer(failing), "number": 99})
    lifecycle.finish(build, "FAILED", line_count=0)
    assert not Build.objects.filter(auto_retry_of=failing).exists()


def test_a_build_whose_worker_died_is_retried_once_whoever_ends_it(db):
    start(project(auto_retry_limit=1))
    build = lifecycle.claim_next()
    past = timezone.now() - timedelta(seconds=1)
    Build.objects.update(lease_expires_at=past, lease_doubted_at=past)
    at_once(4, lambda place: lifecycle.end_expired_leases())
    assert Build.objects.filter(auto_retry_of=build).count() == 1
    assert Build.objects.count() == 2


# ---- leases ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [timedelta(hours=3), timedelta(hours=-3)])
def test_a_clock_that_is_set_ends_no_build_whose_worker_lives(db, jump):
    start(project())
    build = lifecycle.claim_next()
    Build.objects.update(lease_expires_at=lease.expiry() - jump)  # what the lease looks like after the jump
    assert lifecycle.end_expired_leases() == 0
    build.refresh_from_db()
    assert lease.is_odd(build) and lease.renew(build)
    assert lifecycle.end_expired_leases() == 0
    build.refresh_from_db()
    assert (build.status, build.lease_doubted_at, lease.is_odd(build)) == ("IN_PROGRESS", None, False)


def test_a_worker_that_stays_silent_loses_its_build_after_the_doubt(db):
    start(project())
    build = lifecycle.claim_next()
    past = timezone.now() - timedelta(seconds=1)
    Build.objects.update(lease_expires_at=past)
    assert lifecycle.end_expired_leases() == 0
    assert lifecycle.end_expired_leases() == 0  # the doubt lasts a while
    Build.objects.update(lease_expires_at=past)
    assert lifecycle.end_expired_leases() == 1
    build.refresh_from_db()
    assert build.status == "FAULT"


def test_a_stop_ends_a_build_also_where_its_worker_is_dead(db, no_broker):
    start(project())
    build = lifecycle.claim_next()
    no_broker.clear()
    lifecycle.stop_build(factories.SERVICE, build)
    assert no_broker == [build.pk]  # the message of end_stopped_build, to be delivered when patience is over
    assert not lifecycle.end_stopped(build.pk)
    Build.objects.update(stop_requested_at=timezone.now() - timedelta(seconds=stops.PATIENCE_SECONDS))
    tasks.end_stopped_build(build.pk)
    build.refresh_from_db()
    assert (build.status, build.current_phase) == ("STOPPED", "COMPLETED")


def test_stop_and_end_at_once_give_one_end(db):
    made = project()
    for _ in range(5):
        start(made)
        build = lifecycle.claim_next()

        def act(place: int, build: Build = build) -> None:
            if place:
                lifecycle.stop_build(factories.SERVICE, Build.objects.get(pk=build.pk))
            else:
                lifecycle.finish(build, "SUCCEEDED", line_count=0)

        assert at_once(2, act) == [None, None]
        assert Build.objects.get(pk=build.pk).status == "SUCCEEDED"


def test_claim_and_stop_at_once_leave_no_build_that_nobody_ends(db):
    made = project()
    for _ in range(8):
        build = start(made)

        def act(place: int, build: Build = build) -> Build | None:
            if place:
                lifecycle.stop_build(factories.SERVICE, Build.objects.get(pk=build.pk))
                return None
            return lifecycle.claim(build.pk)

        claimed = at_once(2, act)[0]
        found = Build.objects.get(pk=build.pk)
        if claimed is None:
            assert found.status == "STOPPED"
        else:  # its worker finds the request
            assert (found.status, found.stop_requested_at is not None) == ("IN_PROGRESS", True)
            lifecycle.finish(claimed, "STOPPED", line_count=0)


def newer(build: Build) -> dict[str, Any]:
    """The fields of a build like this one, begun later."""
    names = ("project", "project_name", "initiator", "source", "source_version", "artifacts_config", "environment")
    return {name: getattr(build, name) for name in (*names, "service_role_arn")}
