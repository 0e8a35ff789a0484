"""What upkeep is due, whose work it is, and what comes of it."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from codeservices.errors import AccessDenied
from repos import tasks
from repos.access import RepositoryDoesNotExist
from repos.git import locks, refs
from repos.git.locks import RepositoryBusy
from repos.git.refs import RefCommand
from repos.git.upkeep import fsck, leftovers, state
from repos.git.upkeep.strategy import Job
from repos.models import JobOutcome, Repository, Upkeep, UpkeepRun
from repos.pushes import receive
from repos.upkeep import jobs as upkeep_jobs
from repos.upkeep import schedule, worker
from tests import factories, gitrepo

NOTHING_QUEUED: list[int] = []


@pytest.fixture
def repository(db):
    repository = factories.repository()
    yield repository
    repository.git.close()


@pytest.fixture
def sent(monkeypatch) -> list[int]:
    """The repositories whose upkeep a worker was woken for."""
    found: list[int] = []

    def send(name: str, args: list[int], **_: object) -> None:
        if name == schedule.TASK:
            found.append(args[0])

    monkeypatch.setattr("codeservices.work.current_app.send_task", send, raising=False)
    return found


def pushed(alice, repository, refname: str = "refs/heads/main") -> None:
    """A push of one commit, recorded and delivered as a worker does it."""
    oid = gitrepo.commit(repository.git, {"a": "1"}, refname=refname)
    begun = receive.begin(alice.principal, repository, [RefCommand(refname, refs.ZERO_OID, oid)])
    receive.finish(begun.push, {refname})
    begun.lock.release()
    tasks.deliver_push(begun.push.pk)


def outcomes(runs: list[UpkeepRun]) -> dict[str, str]:
    return {run.job: run.outcome for run in runs}


def make_due(repository: Repository) -> None:
    schedule.of(repository)
    Upkeep.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def test_after_a_push_a_worker_is_woken_and_does_what_the_state_calls_for(
    alice, repository, sent, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        pushed(alice, repository)
    row = Upkeep.objects.get()
    assert sent == [repository.pk] and row.queued_at is not None
    assert row.state["loose_refs"] == 1 and row.looked_at is not None
    assert Repository.objects.get().size_bytes > 0
    tasks.keep_up(repository.pk)
    [run] = UpkeepRun.objects.all()
    assert (run.job, run.outcome, run.message) == (Job.COMMIT_GRAPH, JobOutcome.SUCCEEDED, "Commits in the graph: 1.")
    row.refresh_from_db()
    assert row.state["graph_commits"] == 1 and row.due_at > timezone.now() and row.queued_at is None
    assert not row.is_running and row.current_job == ""


def test_a_message_that_comes_twice_acts_once(repository):
    gitrepo.commit(repository.git, {"a": "1"})
    make_due(repository)
    assert outcomes(worker.keep_up(repository.pk)) == {Job.COMMIT_GRAPH: JobOutcome.SUCCEEDED}
    assert worker.keep_up(repository.pk) == []


def test_a_push_that_calls_for_nothing_wakes_nobody(alice, repository, sent, django_capture_on_commit_callbacks):
    gitrepo.commit(repository.git, {"a": "1"}, branch="main")
    worker.run_now(repository)
    with django_capture_on_commit_callbacks(execute=True):
        pushed(alice, repository, "refs/heads/other")
    assert sent == NOTHING_QUEUED


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_one_gets_the_repository(live_server_url):
    repository = factories.repository()
    gitrepo.commit(repository.git, {"a": "1"})
    make_due(repository)
    start, done = threading.Barrier(4), []

    def work() -> None:
        start.wait()
        done.append(worker.keep_up(repository.pk))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(runs) for runs in done) == [0, 0, 0, 1]


def test_a_worker_that_died_leaves_a_lease_that_runs_out(repository):
    gitrepo.commit(repository.git, {"a": "1"})
    make_due(repository)
    now = timezone.now()
    Upkeep.objects.update(lease_owner="dead", lease_expires_at=now + timedelta(seconds=60), current_job=Job.REPACK)
    assert worker.keep_up(repository.pk) == []
    with pytest.raises(RepositoryBusy, match="under way already"):
        worker.run_now(repository)
    Upkeep.objects.update(lease_expires_at=now - timedelta(seconds=1))
    assert outcomes(worker.keep_up(repository.pk)) == {Job.COMMIT_GRAPH: JobOutcome.SUCCEEDED}


def test_a_git_that_outlived_its_worker_keeps_others_away(repository):
    gitrepo.commit(repository.git, {"a": "1"})
    make_due(repository)
    with locks.rewriting(repository.git):
        assert worker.keep_up(repository.pk) == []
    row = Upkeep.objects.get()
    assert not row.is_running and timezone.now() < row.due_at < timezone.now() + timedelta(minutes=11)


def test_a_worker_whose_lease_was_taken_writes_nothing_more(repository, monkeypatch):
    gitrepo.commit(repository.git, {"a": "1"})
    make_due(repository)

    def taken(*_) -> str:
        Upkeep.objects.update(lease_owner="another", due_at=timezone.now() + timedelta(days=3))
        return "Done."

    monkeypatch.setattr(upkeep_jobs, "do", taken)
    worker.keep_up(repository.pk)
    row = Upkeep.objects.get()
    assert row.lease_owner == "another" and row.due_at > timezone.now() + timedelta(days=2)


def test_what_is_asked_for_while_it_runs_is_done_after_that(alice, repository, sent, monkeypatch):
    gitrepo.commit(repository.git, {"a": "1"})
    make_due(repository)
    really = upkeep_jobs.do

    def ask_meanwhile(job, row, shop) -> str:
        monkeypatch.setattr(upkeep_jobs, "do", really)
        schedule.request(alice.principal, repository.name, [Job.FSCK])
        return really(job, row, shop)

    monkeypatch.setattr(upkeep_jobs, "do", ask_meanwhile)
    assert outcomes(worker.keep_up(repository.pk)) == {Job.COMMIT_GRAPH: JobOutcome.SUCCEEDED}
    assert outcomes(worker.keep_up(repository.pk)) == {Job.FSCK: JobOutcome.SUCCEEDED}
    assert worker.keep_up(repository.pk) == []


def test_run_now_does_everything_in_order(alice, repository, sent, django_capture_on_commit_callbacks):
    gitrepo.commit(repository.git, {"a": "1"})
    with django_capture_on_commit_callbacks(execute=True):
        schedule.request(alice.principal, repository.name)
    assert sent == [repository.pk]
    runs = worker.keep_up(repository.pk)
    assert [run.job for run in runs] == list(schedule.EVERYTHING)
    assert {run.outcome for run in runs} == {JobOutcome.SUCCEEDED}
    row = Upkeep.objects.get()
    assert row.fsck_at and row.full_repack_at and row.requested_jobs == [] and row.fsck_findings == []


def test_who_may_not_runs_nothing(bob, alice, repository):
    with pytest.raises(AccessDenied, match="codecommit:RunRepositoryUpkeep"):
        schedule.request(bob.principal, repository.name)
    with pytest.raises(RepositoryDoesNotExist):
        schedule.request(alice.principal, "nothing")
    assert not Upkeep.objects.exists()


# ---- the calendar ----------------------------------------------------------------------------------------------------


def test_the_sweep_wakes_workers_for_what_is_due_a_few_at_a_time(db, sent):
    for number in range(6):
        factories.repository(f"repo{number}")
    assert schedule.start_due() == schedule.MAX_QUEUED
    assert schedule.start_due() == 0
    assert len(set(sent)) == schedule.MAX_QUEUED
    Upkeep.objects.filter(repository_id__in=sent).update(queued_at=timezone.now() - timedelta(hours=1))
    assert schedule.start_due() == schedule.MAX_QUEUED  # their messages are lost


def test_repositories_that_were_there_before_begin_one_after_the_other(db, sent):
    for number in range(8):
        factories.repository(f"repo{number}")
    Repository.objects.update(created_at=timezone.now() - timedelta(days=100))
    schedule.start_due()
    moments = set(Upkeep.objects.values_list("due_at", flat=True))
    assert len(moments) == 8 and max(moments) <= timezone.now() + schedule.FIRST_LOOK_SPREAD
    assert max(Upkeep.objects.values_list("fsck_due_at", flat=True)) <= timezone.now() + timedelta(days=7)


def test_deleted_repositories_get_no_upkeep_and_archived_ones_do(db, sent):
    deleted, archived = factories.repository("deleted"), factories.repository("archived")
    schedule.of(deleted), schedule.of(archived)
    Repository.objects.filter(pk=deleted.pk).update(deleted_at=timezone.now())
    Repository.objects.filter(pk=archived.pk).update(archived_at=timezone.now())
    gitrepo.commit(archived.git, {"a": "1"})
    make_due(archived)
    schedule.start_due()
    assert sent == [archived.pk]
    assert worker.keep_up(deleted.pk) == []
    assert len(worker.keep_up(archived.pk)) == 1


def test_a_push_whose_look_was_lost_is_looked_at_by_the_sweep(repository, sent):
    gitrepo.commit(repository.git, {"a": "1"})
    worker.run_now(repository)
    for number in range(30):
        gitrepo.update_ref(repository.git, f"refs/tags/{number}", refs.tip(repository.git, "refs/heads/main"))
    Repository.objects.update(last_push_at=timezone.now() - timedelta(minutes=5))
    Upkeep.objects.update(looked_at=timezone.now() - timedelta(minutes=6), due_at=timezone.now() + timedelta(days=1))
    schedule.start_due()
    assert sent == [repository.pk]
    assert outcomes(worker.keep_up(repository.pk)) == {Job.PACK_REFS: JobOutcome.SUCCEEDED}
    assert refs.tags(repository.git)[:1] == [("0", refs.tip(repository.git, "refs/heads/main"))]


def test_without_a_broker_upkeep_waits_for_the_sweep(repository, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no broker")

    monkeypatch.setattr("codeservices.work.current_app.send_task", refuse, raising=False)
    make_due(repository)
    assert schedule.start_due() == 0
    assert Upkeep.objects.get().queued_at is None


def test_fsck_comes_by_the_week_and_a_full_repack_a_week_after_a_push(repository):
    gitrepo.commit(repository.git, {"a": "1"})
    worker.run_now(repository)
    now = timezone.now()
    Upkeep.objects.update(due_at=now, fsck_due_at=now - timedelta(seconds=1))
    Repository.objects.update(created_at=now - timedelta(days=8), last_push_at=now - timedelta(days=1))
    done = outcomes(worker.keep_up(repository.pk))
    assert done == {Job.FULL_REPACK: JobOutcome.SUCCEEDED, Job.FSCK: JobOutcome.SUCCEEDED}
    row = Upkeep.objects.get()
    assert row.fsck_due_at - row.fsck_at == timedelta(days=7)
    Upkeep.objects.update(due_at=now)
    assert worker.keep_up(repository.pk) == []  # nothing was pushed since


def test_fsck_can_be_left_to_those_who_ask(repository, settings):
    settings.FSCK_DAYS = 0
    gitrepo.commit(repository.git, {"a": "1"})
    assert Job.FSCK in outcomes(worker.run_now(repository, [Job.FSCK]))
    assert Upkeep.objects.get().fsck_due_at is None
    make_due(repository)
    assert worker.keep_up(repository.pk) == []


def test_what_was_unreachable_for_the_grace_time_is_deleted_by_the_calendar(repository, settings, monkeypatch):
    gitrepo.commit(repository.git, {"a": "1"})
    gone = gitrepo.commit(repository.git, {"b": "2"}, branch="gone", parents=[])
    gitrepo.git(repository.git, "update-ref", "-d", "refs/heads/gone")
    worker.run_now(repository, [Job.FULL_REPACK])
    make_due(repository)
    assert worker.keep_up(repository.pk) == []
    monkeypatch.setattr(upkeep_jobs, "horizon", lambda: timezone.now() + timedelta(days=1))
    make_due(repository)
    runs = worker.keep_up(repository.pk)
    assert [run.job for run in runs] == [Job.FULL_REPACK, Job.EXPIRE]
    assert runs[1].message.startswith("Unreachable objects: 3 deleted")
    with pytest.raises(AssertionError):
        gitrepo.git(repository.git, "cat-file", "-e", gone)


# ---- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_job_that_fails_is_told_and_tried_again_later_and_later(repository, monkeypatch):
    gitrepo.commit(repository.git, {"a": "1"})
    lock = repository.git.path / "objects/info/commit-graphs/commit-graph-chain.lock"  # as a killed git leaves it
    lock.parent.mkdir(parents=True)
    lock.touch()
    delays = []
    for _ in range(3):
        make_due(repository)
        [run] = worker.keep_up(repository.pk)
        assert run.outcome == JobOutcome.FAILED and "commit-graph-chain.lock" in run.message
        assert str(repository.git.path) not in run.message
        delays.append(Upkeep.objects.get().due_at - timezone.now())
    assert delays == sorted(delays) and Upkeep.objects.get().failure_count == 3
    monkeypatch.setattr(leftovers, "LOCK_SECONDS", 0.0)  # by now, the lock is old enough
    make_due(repository)
    done = outcomes(worker.keep_up(repository.pk))
    assert done == {Job.LEFTOVERS: JobOutcome.SUCCEEDED, Job.COMMIT_GRAPH: JobOutcome.SUCCEEDED}
    assert Upkeep.objects.get().failure_count == 0


def test_a_defect_of_ours_does_not_hold_the_repository(repository, monkeypatch):
    gitrepo.commit(repository.git, {"a": "1"})

    def fail(*_):
        raise RuntimeError("oh")

    monkeypatch.setattr(upkeep_jobs, "do", fail)
    make_due(repository)
    [run] = worker.keep_up(repository.pk)
    assert (run.outcome, run.message) == (JobOutcome.FAILED, "An error of this server ended it (RuntimeError).")
    assert not Upkeep.objects.get().is_running


def test_expiry_that_meets_pushes_is_put_off(repository, monkeypatch):
    def busy(*_):
        raise RepositoryBusy("For 20 seconds there was no moment without a push.")

    monkeypatch.setattr(upkeep_jobs, "do", busy)
    gitrepo.commit(repository.git, {"a": "1"})
    make_due(repository)
    [run] = worker.keep_up(repository.pk)
    row = Upkeep.objects.get()
    assert run.outcome == JobOutcome.POSTPONED and row.failure_count == 0
    assert row.due_at < timezone.now() + timedelta(minutes=11)


def test_findings_of_fsck_are_kept_until_it_finds_none(repository, monkeypatch):
    tip = gitrepo.commit(repository.git, {"a": "1"})
    blob = gitrepo.git(repository.git, "rev-parse", f"{tip}:a")
    path = repository.git.path / "objects" / blob[:2] / blob[2:]
    content = path.read_bytes()
    path.unlink()
    runs = worker.run_now(repository, [Job.FSCK])
    assert outcomes(runs)[Job.FSCK] == JobOutcome.FAILED
    row = Upkeep.objects.get()
    assert f"missing blob {blob}" in row.fsck_findings and row.failure_count == 1
    path.write_bytes(content)
    worker.run_now(repository, [Job.FSCK])
    assert Upkeep.objects.get().fsck_findings == []
    monkeypatch.setattr(fsck, "FSCK_SECONDS", 0.0)
    assert outcomes(worker.run_now(repository, [Job.FSCK])) == {Job.FSCK: JobOutcome.TIMED_OUT}
    assert Upkeep.objects.get().fsck_findings == []


def test_a_repository_that_is_gone_from_the_disk_is_a_finding_until_it_is_back(repository, sent):
    schedule.of(repository)
    repository.git.path.rename(repository.git.path.with_suffix(".away"))
    make_due(repository)
    assert worker.keep_up(repository.pk) == []
    row = Upkeep.objects.get()
    assert row.fsck_findings == [worker.MISSING] and not row.is_running and row.due_at > timezone.now()
    Repository.objects.update(last_push_at=timezone.now() - timedelta(minutes=5))
    tasks.start_due_upkeep()  # and nothing else stumbles over it
    repository.git.path.with_suffix(".away").rename(repository.git.path)
    make_due(repository)
    worker.keep_up(repository.pk)
    assert Upkeep.objects.get().fsck_findings == []


def test_old_runs_are_forgotten(repository, monkeypatch):
    monkeypatch.setattr(worker, "KEPT_RUNS", 3)
    gitrepo.commit(repository.git, {"a": "1"})
    for _ in range(3):
        worker.run_now(repository, [Job.PACK_REFS, Job.LEFTOVERS])
    assert UpkeepRun.objects.count() == 3
    assert state.look(repository.git).loose_refs == 0
