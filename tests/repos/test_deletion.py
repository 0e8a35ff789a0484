"""Deleting, restoring, purging: what is kept, for how long, and what a crash in between leaves."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from codeservices.audit.acts import RequestInfo
from codeservices.audit.record import act
from codeservices.errors import AccessDenied
from repos import deletion, provision, tasks
from repos.access import RepositoryDoesNotExist, repository_for
from repos.git import refs, store
from repos.git.refs import RefCommand
from repos.models import Push, PushState, Repository
from repos.names import InvalidRepositoryName
from repos.pushes import receive, rules
from tests import factories, gitrepo

WEEK = timedelta(days=7)


@pytest.fixture
def demo(db) -> Repository:
    """demo with one commit."""
    repository = factories.repository("demo")
    gitrepo.commit(repository.git, {"a": "1"})
    return repository


def deleted(user, name: str = "demo") -> Repository:
    """The repository of that name, deleted."""
    repository_id = deletion.delete_repository(user.principal, name)
    return Repository.all_objects.get(repository_id=repository_id)


def age(repository: Repository, by: timedelta) -> None:
    Repository.all_objects.filter(pk=repository.pk).update(deleted_at=timezone.now() - by)


def test_a_deleted_repository_is_gone_for_every_door_and_its_files_stay(alice, demo):
    row = deleted(alice)
    assert (row.deleted_by, row.pk) == (alice.arn, demo.pk)
    with pytest.raises(RepositoryDoesNotExist):
        repository_for(alice.principal, "codecommit:GitPull", "demo")
    assert demo.git.path.exists()
    assert deletion.delete_repository(alice.principal, "demo") is None


def test_the_name_is_free_at_once_and_may_be_deleted_again(alice, demo):
    first = deleted(alice)
    second = provision.create_repository(alice.principal, "demo")
    other = provision.create_repository(alice.principal, "other")
    assert deleted(alice) == second
    assert provision.rename_repository(alice.principal, "other", "demo") == other
    assert deletion.deleted_repositories(alice.principal) == [second, first]


def test_restoring_brings_back_everything(alice, demo):
    demo.triggers.create(name="ring", destination_arn="arn:aws:codebuild:::x", events=["all"])
    restored = deletion.restore_repository(alice.principal, "demo", deleted(alice).repository_id, "demo")
    assert (restored.deleted_at, restored.deleted_by, restored.default_branch) == (None, "", "main")
    assert repository_for(alice.principal, "codecommit:GitPull", "demo").triggers.get().name == "ring"
    assert deletion.deleted_repositories(alice.principal) == []


def test_a_name_that_is_taken_meanwhile_needs_another(alice, demo):
    row = deleted(alice)
    provision.create_repository(alice.principal, "demo")
    with pytest.raises(provision.RepositoryNameExists):
        deletion.restore_repository(alice.principal, "demo", row.repository_id, "demo")
    with pytest.raises(InvalidRepositoryName):
        deletion.restore_repository(alice.principal, "demo", row.repository_id, "a/b")
    assert deletion.restore_repository(alice.principal, "demo", row.repository_id, "demo-old").name == "demo-old"


def test_what_is_not_deleted_can_neither_be_restored_nor_purged(alice, demo):
    for repository_id in (demo.repository_id, uuid.uuid4()):
        with pytest.raises(RepositoryDoesNotExist):
            deletion.restore_repository(alice.principal, "demo", repository_id, "demo")
        with pytest.raises(RepositoryDoesNotExist):
            deletion.purge_repository(alice.principal, "demo", repository_id)
    assert demo.git.path.exists()


def test_a_purge_takes_row_and_files_and_is_final(alice, demo):
    path, row = demo.git.path, deleted(alice)
    deletion.purge_repository(alice.principal, "demo", row.repository_id)
    assert not path.exists()
    assert not Repository.all_objects.exists()
    with pytest.raises(RepositoryDoesNotExist):
        deletion.restore_repository(alice.principal, "demo", row.repository_id, "demo")


def test_the_clock_purges_those_whose_time_is_over(alice, demo):
    factories.repository("young")
    old, young = deleted(alice), deleted(alice, "young")
    age(old, WEEK + timedelta(minutes=1))
    age(young, WEEK - timedelta(minutes=1))
    tasks.purge_deleted_repositories()
    assert list(Repository.all_objects.all()) == [young]
    assert not demo.git.path.exists()
    tasks.purge_deleted_repositories()


def test_without_a_retention_the_next_run_purges(alice, demo, settings):
    settings.REPOSITORY_RETENTION_DAYS = 0
    deleted(alice)
    assert deletion.purge_expired() == 1


def test_a_purge_that_died_before_its_commit_is_finished_and_nobody_restores_half_of_it(alice, demo, settings):
    row = deleted(alice)
    store.set_aside(settings.GIT_ROOT, str(row.repository_id))
    with pytest.raises(store.RepositoryMissing):
        deletion.restore_repository(alice.principal, "demo", row.repository_id, "demo")
    age(row, WEEK)
    assert deletion.purge_expired() == 1
    assert not Repository.all_objects.exists()


def test_a_purge_that_died_after_its_commit_leaves_files_that_are_swept(alice, demo, settings, monkeypatch):
    row = deleted(alice)
    monkeypatch.setattr(deletion.shutil, "rmtree", lambda *_, **__: None)
    deletion.purge_repository(alice.principal, "demo", row.repository_id)
    monkeypatch.undo()
    [left] = (settings.GIT_ROOT / store.SCRATCH).glob(f"{row.repository_id}*")
    deletion.purge_expired()
    assert left.exists()  # it may still be under way
    monkeypatch.setattr(store, "SCRATCH_SECONDS", -1)
    deletion.purge_expired()
    assert not left.exists()


def test_a_creation_that_died_is_swept_and_objects_without_a_row_are_told_and_kept(
    alice, db, settings, monkeypatch, caplog
):
    monkeypatch.setattr(store, "SCRATCH_SECONDS", -1)
    empty = store.create_repository(settings.GIT_ROOT, str(uuid.uuid4()))
    full = gitrepo.create(settings.GIT_ROOT)
    gitrepo.commit(full, {"a": "1"})
    kept = factories.repository("kept")
    deletion.purge_expired()
    assert not empty.path.exists()
    assert full.path.exists() and kept.git.path.exists()
    assert f"knows no repository {full.path.stem}" in caplog.text
    store.remove_repository(settings.GIT_ROOT, full.path.stem)


def test_who_may_restore_is_asked_under_the_tags_of_the_deleted_one(alice, demo):
    provision_tags = {"team": "a"}
    Repository.objects.filter(pk=demo.pk).update(tags=provision_tags)
    row = deleted(alice)
    theirs = provision.create_repository(alice.principal, "demo", tags={"team": "b"})
    document = factories.allow("codecommit:RestoreRepository", "codecommit:ListRepositories")
    document["Statement"].append(
        {
            "Effect": "Deny",
            "Action": "codecommit:RestoreRepository",
            "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:ResourceTag/team": "b"}},
        }
    )
    dora = factories.user("dora", document=document)
    info = RequestInfo(str(uuid.uuid4()), "127.0.0.1", "test", "console", is_secure=True)
    with act(dora.principal, info), pytest.raises(AccessDenied):
        deletion.restore_repository(dora.principal, "demo", row.repository_id, "back")
    with act(dora.principal, info):
        assert deletion.deleted_repositories(dora.principal) == []
    again = deleted(alice)
    assert again == theirs
    with act(dora.principal, info):
        assert deletion.deleted_repositories(dora.principal) == [theirs]


def test_a_power_user_may_neither_restore_nor_purge(alice, demo):
    row = deleted(alice)
    paula = factories.user("paula", "AWSCodeCommitPowerUser")
    for function, arguments in ((deletion.restore_repository, ("demo",)), (deletion.purge_repository, ())):
        with pytest.raises(AccessDenied):
            function(paula.principal, "demo", row.repository_id, *arguments)
    assert deletion.deleted_repositories(paula.principal) == []
    frank = factories.user("frank", "AWSCodeCommitFullAccess")
    assert deletion.deleted_repositories(frank.principal) == [row]


# ---- pushes --------------------------------------------------------------------------------------------------------


def test_a_push_that_is_under_way_ends_and_is_told_when_the_repository_is_back(alice, demo):
    oid = gitrepo.git(demo.git, "rev-parse", "main")
    begun = receive.begin(alice.principal, demo, [RefCommand("refs/heads/x", refs.ZERO_OID, oid)])
    row = deleted(alice)
    with pytest.raises(deletion.PushUnderWay):
        deletion.purge_repository(alice.principal, "demo", row.repository_id)
    age(row, WEEK)
    assert deletion.purge_expired() == 0
    push = receive.finish(begun.push, {"refs/heads/x"})
    begun.lock.release()
    assert push.state == PushState.RECORDED
    Push.objects.update(recorded_at=timezone.now() - timedelta(minutes=1))
    assert not receive.deliver(push.pk)
    assert receive.undelivered() == []
    deletion.restore_repository(alice.principal, "demo", row.repository_id, "demo")
    assert receive.undelivered() == [push.pk]
    assert receive.deliver(push.pk)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (deletion.delete_repository, "demo was deleted a moment ago"),
        (provision.archive_repository, "demo is archived since"),
    ],
    ids=["deleted", "archived"],
)
def test_a_push_can_not_begin_on_a_repository_that_was_closed_a_moment_ago(alice, demo, change, sentence):
    oid = gitrepo.git(demo.git, "rev-parse", "main")
    change(alice.principal, "demo")
    with pytest.raises(rules.PushRefused, match=sentence):
        receive.begin(alice.principal, demo, [RefCommand("refs/heads/x", refs.ZERO_OID, oid)])
    assert not Push.objects.exists()
