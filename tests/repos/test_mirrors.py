"""Mirrors: what a run moves and removes, when the next one comes, and who may push to what they keep."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from codeservices.audit.models import Event
from codeservices.errors import AccessDenied, Conflict, InvalidInput, NotFound
from codeservices.iam import secrets
from repos import deletion, provision
from repos.access import RefKeptByRemote, authorize_ref
from repos.git import refs
from repos.models import Mirror, MirrorRun, Push, Repository, RunState
from repos.pushes import receive, rules
from repos.remote import imports, mirrors, sources
from repos.remote import runs as remote_runs
from repos.remote.runs import Reporter
from tests import factories, gitrepo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server", "sent")]


@pytest.fixture
def ours(db):
    """An empty repository of ours."""
    made = factories.repository("copy")
    yield made
    made.git.close()


PLAN = mirrors.Plan()


def follow(alice, foreign, plan=PLAN, *, run=True, **options):
    mirror = mirrors.put_mirror(alice.principal, "copy", sources.Given(foreign.url()), plan, **options)
    if run:
        ran()
    return mirror


def ran() -> MirrorRun:
    """The newest run, run to its end."""
    run = MirrorRun.objects.first()
    mirrors.run_mirror(run.pk)
    run.refresh_from_db()
    return run


def again(alice) -> MirrorRun:
    mirrors.run_now(alice.principal, "copy")
    return ran()


def test_a_mirror_follows_new_moved_and_removed_refs(alice, foreign, theirs, ours):
    follow(alice, foreign)
    assert refs.default_branch(ours.git) == "trunk"
    first = MirrorRun.objects.get()
    assert (first.state, first.moved_count, first.requested_by) == (RunState.SUCCEEDED, 4, "alice")
    new = gitrepo.commit(theirs, {"b": "1"}, branch="trunk")
    gitrepo.commit(theirs, {"b": "2"}, branch="later")
    gitrepo.git(theirs, "update-ref", "-d", "refs/heads/feature/x")
    run = again(alice)
    assert run.moved_count == 3
    assert refs.all_refs(ours.git) == {name: oid for name, oid in refs.all_refs(theirs).items() if "pull" not in name}
    assert (
        "removed refs/heads/feature/x" in run.log and f"to {new[:8]}" in run.log and "new refs/heads/later" in run.log
    )
    moved = [command["refname"] for push in Push.objects.order_by("pk") for command in push.commands]
    assert moved[-3:] == ["refs/heads/feature/x", "refs/heads/later", "refs/heads/trunk"]
    for push in Push.objects.all():
        assert receive.deliver(push.pk)
    event = Event.objects.filter(event_name="MirrorRepository", via="worker").last()
    assert (event.principal_name, event.additional_event_data["mirrorOf"]) == ("alice", foreign.url())


def test_a_run_that_finds_nothing_new_moves_and_records_nothing(alice, foreign, theirs, ours):
    follow(alice, foreign)
    pushes, events = Push.objects.count(), Event.objects.count()
    assert again(alice).log.startswith("Everything is up to date.")
    assert Push.objects.count() == pushes
    assert Event.objects.filter(via="worker").count() == events


def test_a_history_that_was_rewritten_there_is_followed(alice, foreign, theirs, ours):
    follow(alice, foreign)
    other = gitrepo.commit(theirs, {"z": "1"}, parents=[], refname="refs/heads/other")
    gitrepo.update_ref(theirs, "refs/heads/trunk", other)
    again(alice)
    assert refs.tip(ours.git, "refs/heads/trunk") == other


def test_what_a_mirror_did_not_bring_is_never_removed(alice, foreign, theirs, ours):
    mine = gitrepo.commit(ours.git, {"mine": "1"}, branch="mine")
    with pytest.raises(Conflict, match="has branches or tags that the mirror would overwrite"):
        follow(alice, foreign)
    follow(alice, foreign, overwrites=True)
    again(alice)
    assert refs.tip(ours.git, "refs/heads/mine") == mine


def test_without_pruning_what_is_gone_stays(alice, foreign, theirs, ours):
    follow(alice, foreign, mirrors.Plan(prunes=False))
    gitrepo.git(theirs, "update-ref", "-d", "refs/heads/feature/x")
    again(alice)
    assert refs.tip(ours.git, "refs/heads/feature/x")


def test_another_end_that_lost_everything_takes_nothing_here_with_it(alice, foreign, theirs, ours):
    follow(alice, foreign)
    for refname in refs.all_refs(theirs):
        gitrepo.git(theirs, "update-ref", "-d", refname)
    run = again(alice)
    assert run.error_code == "RemoteEmpty"
    assert len(refs.all_refs(ours.git)) == 4


def test_a_default_branch_that_was_renamed_there_is_renamed_here(alice, foreign, theirs, ours):
    follow(alice, foreign)
    gitrepo.git(theirs, "branch", "-m", "trunk", "main")
    assert again(alice).state == RunState.SUCCEEDED
    assert refs.default_branch(ours.git) == "main"
    assert refs.tip(ours.git, "refs/heads/trunk") is None


def test_a_default_branch_that_is_only_gone_there_stays(alice, foreign, theirs, ours):
    follow(alice, foreign)
    gitrepo.git(theirs, "update-ref", "-d", "refs/heads/trunk")
    assert again(alice).state == RunState.SUCCEEDED
    assert refs.default_branch(ours.git) == "trunk"


def test_a_branch_may_become_a_folder_of_branches(alice, foreign, theirs, ours):
    follow(alice, foreign)
    gitrepo.git(theirs, "branch", "-m", "feature/x", "feature")
    assert again(alice).state == RunState.SUCCEEDED
    assert refs.tip(ours.git, "refs/heads/feature")


def test_patterns_choose_what_is_followed(alice, foreign, theirs, ours):
    wanted = ("refs/heads/trunk", "refs/heads/nothing", "refs/tags/v*")
    follow(alice, foreign, mirrors.Plan(patterns=wanted))
    assert sorted(refs.all_refs(ours.git)) == ["refs/heads/trunk", "refs/tags/v1"]
    authorize_ref(alice.principal, "codecommit:GitPush", ours, "refs/heads/mine")
    with pytest.raises(RefKeptByRemote):
        authorize_ref(alice.principal, "codecommit:GitPush", Repository.objects.get(), "refs/tags/v2")


def test_nobody_else_moves_what_a_mirror_keeps(alice, foreign, theirs, ours):
    mirror = follow(alice, foreign)
    for paused in (False, True):
        if paused:
            mirrors.pause(alice.principal, "copy")
        with pytest.raises(RefKeptByRemote) as caught:
            authorize_ref(alice.principal, "codecommit:PutFile", Repository.objects.get(), "refs/heads/trunk")
        assert caught.value.message == f"It follows {mirror.url}."
    mirrors.remove(alice.principal, "copy")
    authorize_ref(alice.principal, "codecommit:PutFile", Repository.objects.get(), "refs/heads/trunk")
    assert refs.default_branch(ours.git) == "trunk"


def test_a_push_is_refused_with_the_sentence(alice, foreign, theirs, ours):
    follow(alice, foreign)
    command = receive.RefCommand("refs/heads/mine", refs.ZERO_OID, refs.tip(ours.git, "refs/heads/trunk"))
    with pytest.raises(rules.PushRefused, match="refs/heads/mine: It follows http://127") as caught:
        receive.begin(alice.principal, Repository.objects.get(), [command])
    assert "remove the mirror in the repository's settings" in caught.value.message


@pytest.mark.django_db(transaction=True)
def test_a_mirror_runs_by_the_clock(alice, foreign, theirs, ours, sent):
    mirror = follow(alice, foreign, mirrors.Plan(interval_seconds=600))
    mirror.refresh_from_db()
    assert timedelta(minutes=9) < mirror.next_run_at - timezone.now() <= timedelta(minutes=10)
    assert mirrors.sweep() == 0
    Mirror.objects.update(next_run_at=timezone.now())
    assert mirrors.sweep() == 1
    assert mirrors.sweep() == 0  # one waits already
    run = MirrorRun.objects.first()
    assert sent[-1] == ("repos.tasks.run_mirror", run.pk)
    assert ran().requested_by == ""


def test_failures_wait_longer_and_at_last_for_a_person(alice, foreign, theirs, ours):
    mirror = follow(alice, foreign, mirrors.Plan(interval_seconds=3600))
    foreign.login = ("ann", "one")
    waits = []
    for _ in range(mirrors.MAX_FAILURES):
        run = again(alice)
        assert (run.state, run.error_code) == (RunState.FAILED, "AuthenticationFailed")
        mirror.refresh_from_db()
        if mirror.next_run_at:
            waits.append(round((mirror.next_run_at - timezone.now()).total_seconds() / 3600))
    assert waits == [2, 4, 8, 16, 24, 24, 24]
    assert mirror.is_paused and mirror.is_paused_by_failures
    assert mirror.paused_because == "127.0.0.1 asks for a user name and a password or token."
    assert mirrors.sweep() == 0
    foreign.login = None
    mirrors.resume(alice.principal, "copy")
    assert ran().state == RunState.SUCCEEDED
    mirror.refresh_from_db()
    assert (mirror.failure_count, mirror.is_paused, mirror.paused_because) == (0, False, "")


def test_a_paused_mirror_runs_only_when_asked(alice, foreign, theirs, ours):
    mirror = follow(alice, foreign)
    mirrors.pause(alice.principal, "copy")
    assert mirrors.sweep() == 0
    assert again(alice).state == RunState.SUCCEEDED
    mirror.refresh_from_db()
    assert mirror.is_paused and mirror.paused_because == "alice paused it."


def test_a_run_that_is_cancelled_is_no_failure(alice, foreign, theirs, ours):
    follow(alice, foreign, run=False)
    mirrors.cancel_run(alice.principal, "copy")
    run = MirrorRun.objects.get()
    assert run.state == RunState.STOPPED
    with pytest.raises(Conflict, match="does not run at the moment"):
        mirrors.cancel_run(alice.principal, "copy")
    assert Mirror.objects.get().failure_count == 0


def test_a_worker_that_dies_counts_as_a_failure_after_three_attempts(alice, foreign, theirs, ours):
    follow(alice, foreign, run=False)
    run = MirrorRun.objects.get()
    for _ in range(remote_runs.MAX_ATTEMPTS):
        assert remote_runs.claim(MirrorRun, run.pk)
        MirrorRun.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        mirrors.sweep()
    run.refresh_from_db()
    assert run.state == RunState.FAILED
    assert Mirror.objects.get().failure_count == 1


def test_a_deleted_or_archived_repository_rests(alice, foreign, theirs, ours):
    follow(alice, foreign)
    mirrors.run_now(alice.principal, "copy")  # waits, while the repository is archived
    provision.archive_repository(alice.principal, "copy")
    Mirror.objects.update(next_run_at=timezone.now())
    count = len(foreign.requests)
    run = ran()
    assert (run.state, run.error_message) == (RunState.FAILED, "copy is archived, so its mirror rests.")
    Mirror.objects.update(next_run_at=timezone.now())
    assert mirrors.sweep() == 0
    with pytest.raises(Conflict, match="copy is archived"):
        mirrors.run_now(alice.principal, "copy")
    provision.unarchive_repository(alice.principal, "copy")
    deletion.delete_repository(alice.principal, "copy")
    assert mirrors.sweep() == 0
    assert len(foreign.requests) == count


@pytest.fixture
def meanwhile(monkeypatch):
    """Has something done when a fetch has ended and nothing has moved yet."""

    def arrange(change):
        applying = Reporter.applying
        monkeypatch.setattr(Reporter, "applying", lambda self: (change(), applying(self)))

    return arrange


def test_a_repository_that_is_archived_during_the_fetch_stays_as_it_is(alice, foreign, theirs, ours, meanwhile):
    meanwhile(lambda: provision.archive_repository(alice.principal, "copy"))
    follow(alice, foreign, run=False)
    run = ran()
    assert (run.state, run.error_code) == (RunState.FAILED, "OperationNotAllowedException")
    assert not refs.all_refs(ours.git)
    assert not Push.objects.exists()


def test_the_name_of_today_decides_what_the_owner_may_move(alice, foreign, theirs, ours, meanwhile):
    dora = factories.user("dora", document=factories.allow("codecommit:*", resource=ours.arn))
    meanwhile(lambda: provision.rename_repository(alice.principal, "copy", "secret"))
    follow(dora, foreign, run=False)
    run = ran()
    assert run.state == RunState.FAILED
    assert "not authorized to perform: codecommit:MirrorRepository" in run.error_message
    assert not refs.all_refs(ours.git)


def test_an_import_and_a_mirror_do_not_meet(alice, foreign, theirs):
    given = sources.Given(foreign.url())
    run = imports.start_import(alice.principal, "copy", "", given)
    with pytest.raises(Conflict, match="copy is being imported"):
        follow(alice, foreign)
    imports.cancel(alice.principal, "copy")
    follow(alice, foreign)
    with pytest.raises(Conflict, match="copy follows a repository by now"):
        imports.retry(alice.principal, "copy", given)
    run.refresh_from_db()
    assert run.state == RunState.STOPPED


def test_the_owners_rights_of_today_decide(foreign, theirs, ours):
    dora = factories.user("dora", document=factories.allow("codecommit:*"))
    follow(dora, foreign)
    gitrepo.commit(theirs, {"b": "1"}, branch="trunk")
    count = len(foreign.requests)
    mirrors.run_now(dora.principal, "copy")
    dora.policies.clear()
    run = ran()
    assert run.error_message == "dora, who set the mirror up, may not do codecommit:MirrorRepository here any more."
    assert len(foreign.requests) == count


def test_a_ref_that_the_owner_may_not_push_stops_the_run_whole(foreign, theirs, ours):
    document = factories.allow("codecommit:*")
    document["Statement"].append(
        {
            "Effect": "Deny",
            "Action": "codecommit:GitPush",
            "Resource": "*",
            "Condition": {"StringEquals": {"codecommit:References": "refs/heads/trunk"}},
        }
    )
    dora = factories.user("dora", document=document)
    follow(dora, foreign)
    assert "not authorized to perform: codecommit:GitPush" in MirrorRun.objects.get().error_message
    assert refs.all_refs(ours.git) == {}


def test_who_saves_the_settings_becomes_the_owner_and_needs_the_password_for_another_url(alice, foreign, theirs, ours):
    foreign.login = ("ann", "one")
    given = sources.Given(foreign.url(), "ann", "one")
    mirrors.put_mirror(alice.principal, "copy", given, mirrors.Plan())
    erin = factories.user("erin", "AWSCodeCommitFullAccess")
    mirror = mirrors.put_mirror(erin.principal, "copy", sources.Given(foreign.url(), "ann"), mirrors.Plan())
    assert (mirror.owner_name, secrets.unseal(mirror.sealed_password)) == ("erin", "one")
    with pytest.raises(sources.RemoteError):
        mirrors.put_mirror(erin.principal, "copy", sources.Given(foreign.url("demo2"), "ann"), mirrors.Plan())
    assert Mirror.objects.get().url == foreign.url()


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (mirrors.Plan(interval_seconds=299), "every 5 minutes to 7 days"),
        (mirrors.Plan(interval_seconds=604801), "every 5 minutes to 7 days"),
        (mirrors.Plan(patterns=("refs/pull/*",)), "neither a branch, nor a tag, nor notes"),
    ],
)
def test_odd_plans_are_refused(alice, foreign, theirs, ours, plan, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        follow(alice, foreign, plan)
    assert not Mirror.objects.exists()


@pytest.mark.parametrize("act", ["put", "pause", "resume", "run_now", "cancel_run", "remove"])
def test_power_users_may_not_mirror(foreign, theirs, ours, act):
    pat = factories.user("pat", "AWSCodeCommitPowerUser")
    with pytest.raises(AccessDenied, match="codecommit:MirrorRepository"):
        follow(pat, foreign) if act == "put" else getattr(mirrors, act)(pat.principal, "copy")
    assert foreign.requests == []


def test_a_repository_without_a_mirror_is_told(alice, ours):
    with pytest.raises(NotFound, match="copy follows no repository on another server"):
        mirrors.pause(alice.principal, "copy")


def test_only_the_newest_runs_are_kept(alice, foreign, theirs, ours, monkeypatch):
    monkeypatch.setattr(mirrors, "KEPT_RUNS", 2)
    follow(alice, foreign)
    for _ in range(2):
        last = again(alice)
    assert [run.pk for run in MirrorRun.objects.all()] == [last.pk, last.pk - 1]
