from __future__ import annotations

import pytest
from django.conf import settings
from django.utils import timezone

from codeservices.errors import AccessDenied, LimitExceeded
from repos import provision
from repos.access import RepositoryDoesNotExist, repository_for
from repos.git import store
from repos.models import Repository
from repos.names import InvalidRepositoryName, RepositoryNameRequired
from tests import factories


def test_a_new_repository_is_empty_and_lies_under_its_id(alice):
    repository = provision.create_repository(alice.principal, "demo", "My demonstration repository")
    assert repository.default_branch is None
    assert repository.arn == "arn:aws:codecommit:us-east-1:123456789012:demo"
    assert repository.clone_url("https://host:8443") == "https://host:8443/v1/repos/demo"
    store.open_repository(settings.GIT_ROOT, str(repository.repository_id))


def test_a_name_that_is_taken_is_refused_and_the_repository_stays(alice):
    first = provision.create_repository(alice.principal, "demo")
    with pytest.raises(provision.RepositoryNameExists, match="Repository named demo already exists"):
        provision.create_repository(alice.principal, "demo")
    assert Repository.objects.get() == first


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("x" * 101, "at most 100 characters, not 101"),
        ("my demo", "“ ” is none of them"),
        ("a/b", "“/” is none of them"),
        ("naïve", "“ï” is none of them"),
        ("demo.git", "does not end in .git"),
        ("demo.GIT", "does not end in .git"),
        ("..", "can't be a repository's name"),
        ("new", "can't be a repository's name"),
        ("a\n", "is none of them"),
    ],
)
def test_a_bad_name_is_refused_with_the_rule_it_breaks(alice, name, sentence):
    with pytest.raises(InvalidRepositoryName) as caught:
        provision.create_repository(alice.principal, name)
    assert sentence in caught.value.message
    assert not Repository.objects.exists()


def test_an_empty_name_is_told_apart_from_a_bad_one(alice):
    with pytest.raises(RepositoryNameRequired):
        provision.create_repository(alice.principal, "")


def test_a_reader_may_not_create(bob):
    with pytest.raises(AccessDenied, match="codecommit:CreateRepository"):
        provision.create_repository(bob.principal, "demo")


def test_a_rename_keeps_the_objects_and_changes_the_arn(alice):
    before = provision.create_repository(alice.principal, "demo")
    after = provision.rename_repository(alice.principal, "demo", "shop")
    assert after.repository_id == before.repository_id
    assert after.arn.endswith(":shop")
    with pytest.raises(RepositoryDoesNotExist):
        repository_for(alice.principal, "codecommit:GetRepository", "demo")


def test_an_outsider_can_not_tell_a_missing_repository_from_a_forbidden_one(alice, carol):
    provision.create_repository(alice.principal, "demo")
    sentences = []
    for name in ("demo", "gone"):
        with pytest.raises(AccessDenied) as caught:
            repository_for(carol.principal, "codecommit:GitPull", name)
        sentences.append(caught.value.message.replace(name, "NAME"))
    assert sentences[0] == sentences[1]


def test_beyond_a_thousand_repositories_none_is_made_and_deleted_ones_do_not_count(alice):
    rows = [Repository(name=f"r{number}") for number in range(provision.MAX_REPOSITORIES)]
    Repository.objects.bulk_create([*rows[1:], Repository(name="r0", deleted_at=timezone.now())])
    made = provision.create_repository(alice.principal, "the-thousandth")
    with pytest.raises(LimitExceeded) as caught:
        provision.create_repository(alice.principal, "one-more")
    assert caught.value.code == "RepositoryLimitExceededException"
    assert Repository.objects.count() == provision.MAX_REPOSITORIES
    made.git.close()


def test_of_two_that_make_one_name_at_once_one_is_refused_and_leaves_nothing(alice, monkeypatch):
    before = set(settings.GIT_ROOT.glob("*/*.git"))
    first = Repository.objects.create(name="demo")
    monkeypatch.setattr(type(Repository.objects.all()), "exists", lambda self: False)
    with pytest.raises(provision.RepositoryNameExists):
        provision.create_repository(alice.principal, "demo")
    monkeypatch.undo()
    assert Repository.objects.get() == first
    assert set(settings.GIT_ROOT.glob("*/*.git")) == before


def test_an_archived_repository_can_be_described_and_opened_again(alice):
    provision.create_repository(alice.principal, "demo")
    archived_at = provision.archive_repository(alice.principal, "demo").archived_at
    assert archived_at is not None
    assert provision.archive_repository(alice.principal, "demo").archived_at == archived_at
    provision.describe_repository(alice.principal, "demo", "For the record")
    assert provision.unarchive_repository(alice.principal, "demo").archived_at is None


def test_a_power_user_does_not_archive(alice):
    provision.create_repository(alice.principal, "demo")
    paula = factories.user("paula", "AWSCodeCommitPowerUser")
    for function in (provision.archive_repository, provision.unarchive_repository):
        with pytest.raises(AccessDenied):
            function(paula.principal, "demo")
