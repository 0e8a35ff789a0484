"""Imports: what is made at once, what a worker brings, and what is left of one that fails, is cancelled or dies."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from codeservices.audit.models import Event, Outcome
from codeservices.errors import AccessDenied, Conflict, InvalidInput
from codeservices.iam import secrets
from codeservices.outbound import OutboundRefused, Rules
from repos import deletion, provision
from repos.access import RefKeptByRemote, authorize_ref
from repos.git import quarantine, refs, remote
from repos.git.remote_errors import RemoteError
from repos.models import Import, Mirror, Push, PushState, Repository, RunState
from repos.pushes import receive
from repos.remote import imports, sources
from repos.remote import runs as remote_runs
from tests import factories, gitrepo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server", "sent")]
# Messages leave when a transaction is committed.
committed = pytest.mark.django_db(transaction=True)


def begun(alice, foreign, name="copy", **options):
    credentials = {key: options.pop(key) for key in ("user_name", "password") if key in options}
    given = sources.Given(foreign.url(options.pop("path", "demo")), **credentials)
    return imports.start_import(alice.principal, name, "", given, **options)


def fresh(run):
    run.refresh_from_db()
    return run


def quarantines(settings):
    folder = settings.GIT_ROOT / "incoming"
    return list(folder.iterdir()) if folder.exists() else []


@committed
def test_an_import_brings_everything_and_is_told_as_a_push(alice, foreign, theirs, sent, settings):
    run = begun(alice, foreign)
    assert sent == [("repos.tasks.run_import", run.pk)]
    assert imports.run_import(run.pk)
    assert fresh(run).state == RunState.SUCCEEDED
    assert run.log.splitlines() == [
        "Imported 2 branches and 1 tags.",
        "1 refs at the other end are not fetched (such as refs/pull/*).",
    ]
    with run.repository.git as git:
        assert refs.all_refs(git) == {name: oid for name, oid in refs.all_refs(theirs).items() if "pull" not in name}
        assert refs.default_branch(git) == "trunk"
        gitrepo.git(git, "fsck", "--strict")
    push = Push.objects.get(repository=run.repository)
    assert (push.state, push.principal_name, len(push.commands)) == (PushState.RECORDED, "alice", 4)
    assert receive.deliver(push.pk)
    event = Event.objects.get(event_name="GitPush")
    assert (event.principal_name, event.via, str(event.event_id)) == ("alice", "worker", str(push.push_id))
    assert event.additional_event_data["importedFrom"] == foreign.url()
    assert quarantines(settings) == []
    assert run.phase == "Receiving objects"


def test_a_second_message_does_nothing(alice, foreign, theirs):
    run = begun(alice, foreign)
    assert imports.run_import(run.pk)
    assert not imports.run_import(run.pk)
    assert Push.objects.count() == 1


def test_the_password_is_never_stored_in_the_clear_and_goes_with_success(alice, foreign, theirs):
    foreign.login = ("ann", "s3cret-token")
    run = begun(alice, foreign, user_name="ann", password="s3cret-token")
    assert "s3cret-token" not in run.sealed_password
    assert secrets.unseal(run.sealed_password) == "s3cret-token"
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM repos_import")
        assert "s3cret-token" not in str(cursor.fetchall())
    imports.run_import(run.pk)
    assert (fresh(run).state, run.sealed_password, run.user_name) == (RunState.SUCCEEDED, "", "")
    assert "s3cret" not in str(list(Event.objects.values()))


@pytest.mark.parametrize(
    ("path", "login", "sentence"),
    [("nothing", None, "has no repository at this URL"), ("demo", ("ann", "x"), "asks for a user name")],
)
def test_a_wrong_url_or_password_is_told_before_anything_is_made(alice, foreign, theirs, path, login, sentence):
    foreign.login = login
    with pytest.raises(RemoteError, match=sentence):
        begun(alice, foreign, path=path)
    assert not Repository.objects.exists()


def test_an_empty_repository_is_nothing_to_import(alice, foreign, theirs, tmp_path):
    gitrepo.git(tmp_path, "init", "--quiet", "--bare", str(tmp_path / "served" / "void"))
    with pytest.raises(RemoteError, match="There is no branch and no tag"):
        begun(alice, foreign, path="void")


def test_a_repository_of_another_object_format_is_refused_with_a_sentence(alice, foreign, theirs, tmp_path):
    path = tmp_path / "served" / "other"
    gitrepo.git(tmp_path, "init", "--quiet", "--bare", "--object-format=sha256", "--initial-branch=main", str(path))
    tree = gitrepo.git(path, "mktree")
    gitrepo.update_ref(path, "refs/heads/main", gitrepo.git(path, "commit-tree", "-m", "A commit", tree))
    with pytest.raises(RemoteError, match="names its objects by SHA-256; this server keeps SHA-1 ones"):
        begun(alice, foreign, path="other")
    assert not Repository.objects.exists()


def test_nobody_connects_for_those_who_may_not_import(bob, foreign, theirs):
    with pytest.raises(AccessDenied, match="codecommit:CreateRepository"):
        begun(bob, foreign)
    dora = factories.user("dora", document=factories.allow("codecommit:CreateRepository", "codecommit:GitPush"))
    with pytest.raises(AccessDenied, match="codecommit:MirrorRepository"):
        begun(dora, foreign, becomes_mirror=True)
    assert foreign.requests == []


def test_power_users_may_import_and_not_mirror(foreign, theirs):
    pat = factories.user("pat", "AWSCodeCommitPowerUser")
    with pytest.raises(AccessDenied, match="codecommit:MirrorRepository"):
        begun(pat, foreign, becomes_mirror=True)
    assert begun(pat, foreign).owner == pat


def test_a_private_address_is_refused(alice, foreign, theirs, settings):
    settings.OUTBOUND_RULES = Rules([])
    with pytest.raises(OutboundRefused):
        begun(alice, foreign)
    assert foreign.requests == []


def test_the_address_is_judged_again_when_the_worker_fetches(alice, foreign, theirs, settings):
    run = begun(alice, foreign)
    count = len(foreign.requests)
    settings.OUTBOUND_RULES = Rules([])
    imports.run_import(run.pk)
    assert fresh(run).state == RunState.FAILED
    assert run.error_code == "OutboundRefused"
    assert len(foreign.requests) == count


def test_a_taken_name_is_told_before_anything_is_asked(alice, foreign, theirs):
    factories.repository("copy")
    with pytest.raises(provision.RepositoryNameExists):
        begun(alice, foreign)
    assert foreign.requests == []


def test_a_push_waits_for_the_end_of_an_import(alice, foreign, theirs):
    run = begun(alice, foreign)
    with pytest.raises(RefKeptByRemote, match="is being imported"):
        authorize_ref(alice.principal, "codecommit:GitPush", run.repository, "refs/heads/main")
    imports.run_import(run.pk)
    again = Repository.objects.get(pk=run.repository_id)
    authorize_ref(alice.principal, "codecommit:GitPush", again, "refs/heads/main")


@committed
def test_a_failed_import_leaves_an_empty_repository_and_is_tried_again(alice, foreign, theirs, sent, settings):
    foreign.login = ("ann", "one")
    run = begun(alice, foreign, user_name="ann", password="one")
    foreign.login = ("ann", "two")
    imports.run_import(run.pk)
    assert (fresh(run).state, run.error_code) == (RunState.FAILED, "AuthenticationFailed")
    assert refs.all_refs(run.repository.git) == {}
    assert not Push.objects.exists()
    assert quarantines(settings) == []
    with pytest.raises(RemoteError, match="did not accept"):
        imports.retry(alice.principal, "copy", sources.Given(foreign.url(), "ann"))  # the stored one
    assert fresh(run).state == RunState.FAILED
    imports.retry(alice.principal, "copy", sources.Given(foreign.url(), "ann", "two"))
    assert fresh(run).state == RunState.QUEUED and sent[-1] == ("repos.tasks.run_import", run.pk)
    imports.run_import(run.pk)
    assert (fresh(run).state, run.error_message) == (RunState.SUCCEEDED, "")


def test_a_stored_password_goes_to_no_other_repository(alice, foreign, theirs, tmp_path):
    foreign.login = ("ann", "one")
    run = begun(alice, foreign, user_name="ann", password="one")
    run.state = RunState.FAILED
    run.save()
    seen = []
    foreign.misbehave = lambda handler: seen.append(handler.headers["Authorization"]) or handler.send_error(401)
    for given in (sources.Given(foreign.url("other"), "ann"), sources.Given(foreign.url(), "eve")):
        with pytest.raises(RemoteError):
            imports.retry(alice.principal, "copy", given)
    assert not any(one and "b25l" in one for one in seen)
    assert all(one is None or one.endswith(("YW5uOg==", "ZXZlOg==")) for one in seen)  # the name alone


def test_an_import_that_runs_or_has_ended_well_is_not_tried_again(alice, foreign, theirs):
    run = begun(alice, foreign)
    for _ in range(2):
        with pytest.raises(Conflict, match="can't be tried again"):
            imports.retry(alice.principal, "copy", sources.Given(foreign.url()))
        imports.run_import(run.pk)


def test_a_queued_import_is_cancelled_at_once_and_a_running_one_soon(alice, foreign, theirs, monkeypatch, settings):
    run = begun(alice, foreign)
    imports.cancel(alice.principal, "copy")
    assert fresh(run).state == RunState.STOPPED
    assert not imports.run_import(run.pk)
    with pytest.raises(Conflict, match="over already"):
        imports.cancel(alice.principal, "copy")
    imports.retry(alice.principal, "copy", sources.Given(foreign.url()))
    fetch = remote.Remote.fetch

    def cancelled_meanwhile(self, quarantine, wanted, on_progress, **options):
        imports.cancel(alice.principal, "copy")
        return fetch(self, quarantine, wanted, on_progress, **options)

    monkeypatch.setattr(remote.Remote, "fetch", cancelled_meanwhile)
    imports.run_import(run.pk)
    assert fresh(run).state == RunState.STOPPED
    assert refs.all_refs(run.repository.git) == {}
    assert quarantines(settings) == []


@committed
def test_a_worker_that_dies_is_followed_by_another_and_at_last_given_up(alice, foreign, theirs, sent):
    run = begun(alice, foreign)
    for attempt in range(1, remote_runs.MAX_ATTEMPTS + 1):
        assert remote_runs.claim(Import, run.pk).attempt_count == attempt  # and then the worker is killed
        imports.sweep()
        assert fresh(run).state == RunState.IN_PROGRESS  # its lease still holds
        Import.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        imports.sweep()
        fresh(run)
    assert run.state == RunState.FAILED
    assert "fell silent, as did 2 before it" in run.error_message
    assert sent.count(("repos.tasks.run_import", run.pk)) == remote_runs.MAX_ATTEMPTS


def test_a_worker_thought_dead_that_comes_back_changes_nothing(alice, foreign, theirs, monkeypatch):
    run = begun(alice, foreign)
    fetch = remote.Remote.fetch

    def taken_meanwhile(self, *args, **options):
        Import.objects.update(lease_owner="another")
        return fetch(self, *args, **options)

    monkeypatch.setattr(remote.Remote, "fetch", taken_meanwhile)
    assert imports.run_import(run.pk)
    assert (fresh(run).state, run.lease_owner) == (RunState.IN_PROGRESS, "another")
    assert refs.all_refs(run.repository.git) == {}


@committed
def test_a_lost_message_is_sent_again(alice, foreign, theirs, sent):
    run = begun(alice, foreign)
    imports.sweep()
    assert len(sent) == 1
    Import.objects.update(message_at=timezone.now() - timedelta(minutes=6))
    imports.sweep()
    imports.sweep()
    assert sent == [("repos.tasks.run_import", run.pk)] * 2


def test_a_repository_over_its_quota_is_refused_with_a_way_out(alice, foreign, theirs):
    run = begun(alice, foreign)
    Repository.objects.update(quota_bytes=10)
    imports.run_import(run.pk)
    assert (fresh(run).state, run.error_code) == (RunState.FAILED, "QuotaExceeded")
    assert refs.all_refs(run.repository.git) == {}


def long_path(theirs):
    gitrepo.commit(theirs, {"/".join(["d" * 250] * 17): "1"}, branch="trunk")


def long_message(theirs):
    tree = gitrepo.git(theirs, "rev-parse", "trunk^{tree}")
    oid = gitrepo.git(theirs, "commit-tree", tree, "-p", "trunk", input="m" * (quarantine.MAX_METADATA_BYTES + 1))
    gitrepo.update_ref(theirs, "refs/heads/trunk", oid)


@pytest.mark.parametrize(
    ("make", "sentence"), [(long_path, "a path has at most 4,096"), (long_message, "a commit, a tag or a folder has")]
)
def test_what_a_push_may_not_bring_no_import_brings(alice, foreign, theirs, settings, make, sentence):
    make(theirs)
    run = begun(alice, foreign)
    imports.run_import(run.pk)
    assert (fresh(run).state, run.error_code) == (RunState.FAILED, "ObjectsRefused")
    assert sentence in run.error_message
    assert refs.all_refs(run.repository.git) == {}
    assert quarantines(settings) == []


def test_who_may_no_longer_push_imports_nothing(foreign, theirs):
    dora = factories.user("dora", document=factories.allow("codecommit:*"))
    run = begun(dora, foreign)
    dora.policies.clear()
    imports.run_import(run.pk)
    assert fresh(run).state == RunState.FAILED
    assert "not authorized to perform: codecommit:GitPush" in run.error_message
    assert Event.objects.get(event_name="GitPush").outcome == Outcome.DENIED
    assert refs.all_refs(run.repository.git) == {}


def test_an_owner_who_is_gone_imports_nothing(alice, foreign, theirs):
    run = begun(alice, foreign)
    alice.delete()
    imports.run_import(run.pk)
    assert fresh(run).error_message == "alice, who set this up, is no active user any more."


def test_an_import_overwrites_nothing(alice, foreign, theirs):
    run = begun(alice, foreign)
    gitrepo.commit(run.repository.git, {"mine": "1"}, branch="trunk")
    imports.run_import(run.pk)
    assert fresh(run).state == RunState.FAILED
    assert "refs/heads/trunk exists here with other commits" in run.error_message


def test_a_deleted_repository_is_not_filled(alice, foreign, theirs):
    run = begun(alice, foreign)
    count = len(foreign.requests)
    deletion.delete_repository(alice.principal, "copy")
    imports.run_import(run.pk)
    assert fresh(run).state == RunState.FAILED
    assert len(foreign.requests) == count


def test_an_import_becomes_a_mirror_with_its_credentials(alice, foreign, theirs):
    foreign.login = ("ann", "one")
    run = begun(alice, foreign, user_name="ann", password="one", becomes_mirror=True)
    imports.run_import(run.pk)
    mirror = Mirror.objects.get(repository=run.repository)
    assert secrets.unseal(mirror.sealed_password) == "one"
    assert fresh(run).sealed_password == ""
    assert mirror.next_run_at > timezone.now()
    assert "refs/heads/trunk" in mirror.refnames


def test_a_defect_of_ours_ends_the_import_with_a_sentence(alice, foreign, theirs, monkeypatch):
    run = begun(alice, foreign)

    def fail(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(remote.Remote, "fetch", fail)
    imports.run_import(run.pk)
    assert (
        fresh(run).error_message
        == "An error of this server ended the fetch (ZeroDivisionError); its log has the details."
    )


def test_passwords_of_failed_imports_are_forgotten(alice, foreign, theirs):
    run = begun(alice, foreign, user_name="ann", password="one")
    Import.objects.update(state=RunState.FAILED, ended_at=timezone.now() - timedelta(days=6))
    imports.sweep()
    assert fresh(run).sealed_password
    Import.objects.update(ended_at=timezone.now() - timedelta(days=8))
    imports.sweep()
    assert fresh(run).sealed_password == ""


def test_a_password_of_another_master_key_is_told(alice, foreign, theirs):
    run = begun(alice, foreign)
    Import.objects.update(sealed_password="gAAAAABnonsense")
    imports.run_import(run.pk)
    assert "encrypted with another master key" in fresh(run).error_message


@pytest.mark.parametrize("given", [{"user_name": "a:b"}, {"password": "a\nb"}, {"user_name": "a" * 257}])
def test_odd_credentials_are_refused(alice, foreign, theirs, given):
    with pytest.raises(InvalidInput):
        begun(alice, foreign, **given)
