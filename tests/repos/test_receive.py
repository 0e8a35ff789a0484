from __future__ import annotations

import os
import subprocess
from datetime import timedelta

import pytest
import redis
from celery import Celery
from django.db import OperationalError
from django.utils import timezone

from codeservices.celery import app
from codeservices.errors import LimitExceeded
from codeservices.iam.authorize import authorize
from repos import tasks
from repos.git import locks, refs, store
from repos.git.refs import RefCommand
from repos.git.upkeep import leftovers
from repos.models import Push, PushState, Repository, Upkeep
from repos.pushes import interrupted, receive, rules
from repos.pushes import lock as push_lock
from repos.signals import ref_updated
from repos.triggers import deliveries as trigger_deliveries
from tests import factories, gitrepo

ZERO = refs.ZERO_OID
TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:news"


@pytest.fixture
def repository(db):
    repository = factories.repository()
    yield repository
    repository.git.close()


@pytest.fixture
def oid(repository):
    return gitrepo.commit(repository.git, {"a": "1"})


@pytest.fixture
def heard():
    """What listeners of ref_updated are told."""
    told: list[tuple[str, str, str]] = []

    def listener(sender, repository, refname, old_oid, new_oid, push, **_):
        told.append((refname, old_oid, new_oid))

    ref_updated.connect(listener)
    yield told
    ref_updated.disconnect(listener)


def create(refname: str, oid: str) -> RefCommand:
    return RefCommand(refname, ZERO, oid)


def begin(user, repository, *commands: RefCommand) -> Push:
    begun = receive.begin(user.principal, repository, commands)
    begun.lock.release()
    return begun.push


def reasons(user, repository, *commands: RefCommand) -> dict[str, str]:
    with pytest.raises(rules.PushRefused) as caught:
        receive.begin(user.principal, repository, commands)
    assert not Push.objects.exists()
    return caught.value.reasons


def test_a_push_is_written_down_before_git_sees_it(alice, repository, oid):
    begun = receive.begin(alice.principal, repository, [create("refs/heads/x", oid)])
    stored = Push.objects.get()
    assert (stored.state, stored.principal_arn, stored.principal_name) == (PushState.BEGUN, alice.arn, "alice")
    assert stored.commands == [{"refname": "refs/heads/x", "old_oid": ZERO, "new_oid": oid}]
    os.fstat(begun.lock.filenos()[0])
    begun.lock.release()


def test_a_finished_push_holds_what_git_reported_and_wakes_a_worker(
    alice, repository, oid, redis_server, django_capture_on_commit_callbacks
):
    with redis.Redis.from_url(redis_server) as broker:
        broker.delete("default")
        push = begin(alice, repository, create("refs/heads/x", oid), create("refs/heads/y", oid))
        with django_capture_on_commit_callbacks(execute=True):
            receive.finish(push, {"refs/heads/y"})
        assert broker.llen("default") == 1
    assert (push.state, [one["refname"] for one in push.commands]) == (PushState.RECORDED, ["refs/heads/y"])
    repository.refresh_from_db()
    assert repository.last_push_at == push.recorded_at


def test_without_a_broker_a_push_is_recorded_and_left_to_the_sweep(
    alice, repository, oid, django_capture_on_commit_callbacks, caplog
):
    away = Celery("away", broker="redis+socket:///nonexistent/redis.sock", set_as_current=False)
    away.conf.task_publish_retry = False
    away.set_current()
    try:
        push = begin(alice, repository, create("refs/heads/x", oid))
        with django_capture_on_commit_callbacks(execute=True):
            receive.finish(push, {"refs/heads/x"})
    finally:
        app.set_current()
        away.close()
    assert push.state == PushState.RECORDED
    assert "waits for the sweep" in caplog.text


def test_a_push_of_which_nothing_moved_is_dropped(alice, repository, oid, django_capture_on_commit_callbacks):
    for accepted in (set(), None):
        push = begin(alice, repository, create("refs/heads/x", oid))
        with django_capture_on_commit_callbacks() as callbacks:
            receive.finish(push, accepted)
        assert (push.state, callbacks) == (PushState.DROPPED, [])
    repository.refresh_from_db()
    assert repository.last_push_at is None


def test_finishing_twice_changes_nothing(alice, repository, oid):
    push = begin(alice, repository, create("refs/heads/x", oid))
    receive.finish(push, {"refs/heads/x"})
    recorded_at = push.recorded_at
    receive.finish(push, set())
    assert (push.state, push.recorded_at) == (PushState.RECORDED, recorded_at)


def test_without_a_report_the_refs_tell(alice, repository, oid):
    gitrepo.update_ref(repository.git, "refs/heads/x", oid)
    push = begin(alice, repository, create("refs/heads/x", oid), create("refs/heads/y", oid))
    receive.finish(push, None)
    assert [one["refname"] for one in push.commands] == ["refs/heads/x"]


def test_an_atomic_push_that_a_kill_left_half_done_is_completed(alice, repository, oid, caplog):
    """Git renames the lock files of a transaction one by one; here it died between the first and the second."""
    later = gitrepo.commit(repository.git, {"a": "2"}, refname="refs/heads/y")
    gitrepo.update_ref(repository.git, "refs/heads/y", oid)
    gitrepo.update_ref(repository.git, "refs/heads/z", oid)
    asked = [
        create("refs/heads/x", later),
        RefCommand("refs/heads/y", oid, later),
        RefCommand("refs/heads/z", oid, ZERO),
    ]
    begun = receive.begin(alice.principal, repository, asked, is_atomic=True)
    gitrepo.update_ref(repository.git, "refs/heads/x", later)
    for name in ("y", "z"):
        (repository.git.path / f"refs/heads/{name}.lock").touch()
    (repository.git.path / "refs/heads/of-somebody-else.lock").touch()
    (repository.git.path / "objects/tmp_objdir-incoming-x").mkdir()
    begun.lock.release()
    assert receive.recover() == 1
    assert refs.all_refs(repository.git) == {
        "refs/heads/main": oid,
        "refs/heads/x": later,
        "refs/heads/y": later,
    }
    push = Push.objects.get()
    assert (push.state, len(push.commands)) == (PushState.RECORDED, 3)
    assert [path.name for path in repository.git.path.rglob("*.lock")] == ["of-somebody-else.lock"]
    assert list((repository.git.path / "objects").glob("tmp_*")) == []
    assert (
        "removed refs/heads/y.lock, refs/heads/z.lock, objects/tmp_objdir-incoming-x of a git that was killed"
        in caplog.text
    )


def test_what_a_killed_git_left_stays_while_another_push_lives(alice, repository, oid, caplog, monkeypatch):
    monkeypatch.setattr(interrupted, "CLEAN_UP_SECONDS", 0.1)
    begun = receive.begin(alice.principal, repository, [create("refs/heads/x", oid)])
    lock_file = repository.git.path / "refs/heads/x.lock"
    lock_file.touch()
    begun.lock.release()
    other = receive.begin(alice.principal, repository, [create("refs/heads/y", oid)])
    assert receive.recover() == 1
    assert lock_file.exists()
    assert "stays until upkeep comes" in caplog.text
    other.lock.release()
    assert receive.recover() == 1
    assert lock_file.exists(), "only upkeep knows of it now"
    in_a_while = timezone.now() + timedelta(seconds=leftovers.LOCK_SECONDS)
    assert abs(Upkeep.objects.get(repository=repository).due_at - in_a_while) < timedelta(seconds=60)


def test_what_a_killed_git_left_goes_while_upkeep_repacks(alice, repository, oid):
    begun = receive.begin(alice.principal, repository, [create("refs/heads/x", oid)])
    lock_file = repository.git.path / "refs/heads/x.lock"
    lock_file.touch()
    begun.lock.release()
    with locks.rewriting(repository.git):
        assert receive.recover() == 1
    assert not lock_file.exists()


def test_an_atomic_push_that_cannot_be_completed_is_recorded_as_it_is_and_told(alice, repository, oid, caplog):
    asked = [create("refs/heads/x", oid), create("refs/heads/y", oid)]
    begun = receive.begin(alice.principal, repository, asked, is_atomic=True)
    gitrepo.update_ref(repository.git, "refs/heads/x", oid)
    gitrepo.update_ref(repository.git, "refs/heads/y", gitrepo.commit(repository.git, {"theirs": "1"}))
    begun.lock.release()
    receive.recover()
    assert [one["refname"] for one in Push.objects.get().commands] == ["refs/heads/x"]
    assert "stays half-done" in caplog.text


def test_a_ref_that_a_later_push_moved_on_counts_as_moved(alice, repository, oid):
    lost = begin(alice, repository, create("refs/heads/x", oid))
    newer = gitrepo.commit(repository.git, {"a": "2"}, branch="x", parents=[oid])
    later = begin(alice, repository, RefCommand("refs/heads/x", oid, newer))
    receive.finish(later, {"refs/heads/x"})
    receive.finish(lost, None)
    assert lost.state == PushState.RECORDED


def test_a_move_that_a_second_try_made_is_not_told_twice(alice, repository, oid):
    lost = begin(alice, repository, create("refs/heads/x", oid))
    again = begin(alice, repository, create("refs/heads/x", oid))
    gitrepo.update_ref(repository.git, "refs/heads/x", oid)
    receive.finish(again, {"refs/heads/x"})
    receive.finish(lost, None)
    assert lost.state == PushState.DROPPED


def test_the_first_branch_becomes_the_default_and_main_comes_first(alice, repository):
    oid = gitrepo.commit(repository.git, {"a": "1"}, branch="topic")
    gitrepo.update_ref(repository.git, "refs/heads/master", oid)
    push = begin(alice, repository, create("refs/heads/topic", oid), create("refs/heads/master", oid))
    receive.finish(push, {"refs/heads/topic", "refs/heads/master"})
    assert repository.default_branch == "master"
    gitrepo.update_ref(repository.git, "refs/heads/main", oid)
    receive.finish(begin(alice, repository, create("refs/heads/main", oid)), {"refs/heads/main"})
    assert repository.default_branch == "master"


def test_tags_alone_choose_no_default_branch(alice, repository):
    oid = gitrepo.commit(repository.git, {"a": "1"}, refname="refs/tags/v1")
    receive.finish(begin(alice, repository, create("refs/tags/v1", oid)), {"refs/tags/v1"})
    assert repository.default_branch is None


def test_one_who_may_not_push_is_told_for_each_ref(bob, repository, oid):
    with pytest.raises(rules.PushRefused) as caught:
        receive.begin(bob.principal, repository, [create("refs/heads/x", oid), create("refs/heads/y", oid)])
    assert set(caught.value.reasons.values()) == {"not authorized to perform codecommit:GitPush on this ref"}
    assert caught.value.cause.action == "codecommit:GitPush"
    assert "refs/heads/x: User: " in caught.value.message
    assert caught.value.message.endswith("Nothing of this push was applied.")


def test_a_condition_on_a_ref_stops_the_whole_push(repository, oid, db):
    document = factories.allow("codecommit:GitPush")
    document["Statement"].append(
        {
            "Effect": "Deny",
            "Action": "codecommit:GitPush",
            "Resource": "*",
            "Condition": {"StringLike": {"codecommit:References": "refs/heads/release/*"}},
        }
    )
    dave = factories.user("dave", document=document)
    authorize(dave.principal, "codecommit:GitPush", repository.arn)
    assert reasons(dave, repository, create("refs/heads/release/1", oid), create("refs/heads/x", oid)) == {
        "refs/heads/release/1": "not authorized to perform codecommit:GitPush on this ref",
        "refs/heads/x": "push refused because of refs/heads/release/1",
    }
    begin(dave, repository, create("refs/heads/x", oid))


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (RefCommand("refs/heads/main", "1" * 40, ZERO), "The default branch can't be deleted."),
        (create("refs/internal/keep", "1" * 40), "Refs under refs/internal/ belong to the server."),
        (create("refs/heads/a..b", "1" * 40), "“a..b” can't name a branch."),
        (create("refs/tags/a..b", "1" * 40), "This is no valid refname: see “git help check-ref-format”."),
        (create("HEAD", "1" * 40), "This is no valid refname: see “git help check-ref-format”."),
        (create(f"refs/heads/{'x' * 257}", "1" * 40), "A branch name has at most 256 characters, not 257."),
        (
            create(f"refs/tags/{'x' * 251}", "1" * 40),
            "A part of a refname between slashes has at most 250 bytes, not 251.",
        ),
        (create(f"refs/tags/{'é/' * 350}x", "1" * 40), "A refname has at most 1,024 bytes, not 1,061."),
        (create("refs/heads/HEAD", "1" * 40), "“HEAD” can't name a branch."),
    ],
)
def test_some_refs_nobody_may_move(alice, repository, oid, command, reason):
    assert reasons(alice, repository, command) == {command.refname: reason}


def test_what_stops_a_push_as_a_whole_is_told_for_each_ref(alice, repository, oid, monkeypatch):
    def over_quota(*_):
        raise LimitExceeded("The repository is full.", hint="Ask for a larger quota.")

    monkeypatch.setattr(rules, "judge", over_quota)
    commands = [create("refs/heads/x", oid), create("refs/tags/y", oid)]
    with pytest.raises(rules.PushRefused) as caught:
        receive.begin(alice.principal, repository, commands)
    assert caught.value.reasons == dict.fromkeys(["refs/heads/x", "refs/tags/y"], "The repository is full.")
    told = "The repository is full. Ask for a larger quota.\nNothing of this push was applied."
    assert (caught.value.message, caught.value.cause.code) == (told, "LimitExceededException")


def test_push_options_are_kept_with_the_push(alice, repository, oid):
    options = ("ci.skip", "caf\udce9")
    begun = receive.begin(alice.principal, repository, [create("refs/heads/x", oid)], options=options)
    begun.lock.release()
    assert Push.objects.get().options == ["ci.skip", "caf\\xe9"]


def test_a_long_list_of_causes_is_cut(bob, repository, oid):
    with pytest.raises(rules.PushRefused) as caught:
        receive.begin(bob.principal, repository, [create(f"refs/tags/{number}", oid) for number in range(100)])
    assert caught.value.message.count("\n") == rules.MAX_TOLD_REASONS + 1
    assert "and 95 more refs." in caught.value.message


def test_a_name_that_is_no_utf8_comes_through_the_database(alice, repository, oid, heard):
    name = "refs/heads/caf\udce9"
    push = begin(alice, repository, create(name, oid))
    receive.finish(push, {name})
    assert receive.deliver(push.pk)
    assert heard == [(name, ZERO, oid)]


def test_listeners_hear_of_each_ref_once(alice, repository, oid, heard):
    push = begin(alice, repository, create("refs/heads/x", oid), RefCommand("refs/tags/v1", oid, ZERO))
    assert not receive.deliver(push.pk)
    receive.finish(push, {"refs/heads/x", "refs/tags/v1"})
    tasks.deliver_push(push.pk)
    tasks.deliver_push(push.pk)
    assert heard == [("refs/heads/x", ZERO, oid), ("refs/tags/v1", oid, ZERO)]
    push.refresh_from_db()
    assert push.state == PushState.DELIVERED
    assert push.delivered_at >= push.recorded_at


def test_a_listener_that_fails_is_logged_and_holds_up_no_trigger(alice, repository, oid, heard, caplog):
    def fails(sender, **_):
        Repository.objects.update(description="half-done")
        raise RuntimeError("out of order")

    repository.triggers.create(name="ring", destination_arn=TOPIC_ARN, events=["all"])
    push = begin(alice, repository, create("refs/heads/x", oid))
    receive.finish(push, {"refs/heads/x"})
    ref_updated.connect(fails)
    try:
        assert receive.deliver(push.pk)
    finally:
        ref_updated.disconnect(fails)
    push.refresh_from_db()
    assert (push.state, push.trigger_deliveries.count()) == (PushState.DELIVERED, 1)
    assert "out of order" in caplog.text
    assert Repository.objects.get().description == ""


def test_the_sweep_delivers_what_waits_and_one_failure_stops_no_other(
    alice, repository, oid, heard, caplog, monkeypatch
):
    pushes = [begin(alice, repository, create(f"refs/heads/{name}", oid)) for name in "xyz"]
    for push in pushes:
        receive.finish(push, {push.commands[0]["refname"]})
    tasks.deliver_recorded_pushes()
    assert heard == []  # their own messages are still on their way
    Push.objects.update(recorded_at=timezone.now() - timedelta(days=3))  # a server that was off over the weekend

    def fails_on_x(push, commands):
        if push.pk == pushes[0].pk:
            raise OperationalError("database is locked")
        return record(push, commands)

    record = trigger_deliveries.record
    monkeypatch.setattr(trigger_deliveries, "record", fails_on_x)
    tasks.deliver_recorded_pushes()
    assert {refname for refname, *_ in heard} == {"refs/heads/y", "refs/heads/z"}
    assert "could not be delivered" in caplog.text
    assert receive.undelivered() == [pushes[0].pk]
    monkeypatch.undo()
    tasks.deliver_recorded_pushes()
    assert receive.undelivered() == []


def test_recovery_settles_what_nobody_works_on_and_leaves_the_rest(alice, repository, oid, monkeypatch):
    monkeypatch.setattr(interrupted, "CLEAN_UP_SECONDS", 0.1)  # what runs holds its lock all the while
    applied = begin(alice, repository, create("refs/heads/applied", oid))
    gitrepo.update_ref(repository.git, "refs/heads/applied", oid)
    lost = begin(alice, repository, create("refs/heads/lost", oid))
    running = receive.begin(alice.principal, repository, [create("refs/heads/running", oid)])
    foreign = begin(alice, repository, create("refs/heads/foreign", oid))
    Push.objects.filter(pk=foreign.pk).update(owner="another-machine")
    assert receive.recover() == 2
    states = dict(Push.objects.values_list("pk", "state"))
    assert states == {
        applied.pk: PushState.RECORDED,
        lost.pk: PushState.DROPPED,
        running.push.pk: PushState.BEGUN,
        foreign.pk: PushState.BEGUN,
    }
    running.lock.release()
    Push.objects.filter(pk=foreign.pk).update(begun_at=timezone.now() - timedelta(days=2))
    tasks.recover_pushes()
    assert not Push.objects.filter(state=PushState.BEGUN).exists()


def test_recovery_of_a_repository_that_is_gone_drops_the_push(alice, repository, oid, settings):
    push = begin(alice, repository, create("refs/heads/x", oid))
    store.remove_repository(settings.GIT_ROOT, str(repository.repository_id))
    assert receive.recover() == 1
    push.refresh_from_db()
    assert push.state == PushState.DROPPED


def test_a_lock_is_held_for_as_long_as_any_process_that_got_it(tmp_path):
    lock = push_lock.take(tmp_path, "push")
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=lock.filenos())
    os.close(lock.filenos()[0])
    assert push_lock.take(tmp_path, "push") is None
    child.communicate()
    again = push_lock.take(tmp_path, "push")
    assert again is not None
    again.release()
    assert list(tmp_path.iterdir()) == []


def test_lock_files_of_killed_processes_go_and_those_of_the_living_stay(alice, repository, oid, settings):
    folder = settings.RUN_ROOT / "pushes"
    begun = receive.begin(alice.principal, repository, [create("refs/heads/x", oid)])
    (folder / "new.lock").touch()
    (folder / "dead.lock").touch()
    long_ago = 1_000_000_000
    for name in (f"{begun.push.push_id}.lock", "dead.lock"):
        os.utime(folder / name, (long_ago, long_ago))
    receive.recover()
    assert {path.name for path in folder.iterdir()} == {f"{begun.push.push_id}.lock", "new.lock"}
    begun.lock.release()
    (folder / "new.lock").unlink()
