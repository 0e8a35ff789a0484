"""Builds that pushes start, and the tasks that workers run."""

from __future__ import annotations

import pytest

from builds import lifecycle, projects, source, tasks
from builds.models import Build, Project
from builds.runner.executor import PhaseError
from codeservices.audit.models import Event
from codeservices.iam.models import Role
from repos import deletion, trigger_config
from repos.models import Push
from repos.signals import ref_updated
from tests import factories, gitrepo

pytestmark = pytest.mark.django_db(transaction=True)
ZERO = "0" * 40


@pytest.fixture(autouse=True)
def sent(monkeypatch) -> list[int]:
    """The ids of builds that would have been sent to a worker."""
    found: list[int] = []
    monkeypatch.setattr(lifecycle.current_app, "send_task", lambda name, args, **options: found.append(args[0]))
    return found


@pytest.fixture
def repository(alice):
    made = factories.repository("demo")
    project = factories.project("demo")
    wanted = trigger_config.TriggerSettings("on-push", project.arn, ("updateReference", "createReference"), ("main",))
    trigger_config.add_trigger(alice.principal, "demo", wanted)
    return made


def push(repository, refname: str = "refs/heads/main", old: str = ZERO, new: str = "") -> None:
    made = Push.objects.create(repository=repository, principal_arn="arn:aws:iam::1:user/bob", principal_name="bob")
    new = new or gitrepo.commit(repository.git, {"a": "1"}, refname=refname)
    ref_updated.send(sender=Push, repository=repository, refname=refname, old_oid=old, new_oid=new, push=made)


def test_a_push_to_a_watched_branch_starts_a_build_of_exactly_that_commit(repository, sent):
    push(repository)
    build = Build.objects.get()
    oid = gitrepo.git(repository.git, "rev-parse", "main")
    assert (build.source_version, build.initiator) == (f"refs/heads/main^{{{oid}}}", "codecommit/bob")
    assert sent == [build.pk]
    event = Event.objects.get(event_name="StartBuild")
    assert event.response_elements["build"]["projectName"] == event.request_parameters["projectName"]
    assert (event.principal_kind, event.via) == ("role", "worker")


def test_other_branches_tags_and_deletions_start_nothing(repository):
    push(repository, "refs/heads/other")
    push(repository, "refs/tags/v1")
    push(repository, old="1" * 40, new=ZERO)
    assert not Build.objects.exists()


def test_a_role_that_may_not_start_builds_is_denied_on_record_and_the_push_goes_on(repository):
    Role.objects.get().policies.clear()
    push(repository)
    assert not Build.objects.exists()
    assert Event.objects.get(event_name="StartBuild").outcome == "Denied"


def test_a_trigger_of_a_project_that_is_gone_starts_nothing(repository):
    Build.objects.all().delete()
    lifecycle.Project.objects.all().delete()
    push(repository)
    assert not Build.objects.exists()


def test_a_task_for_a_build_that_is_gone_does_nothing(db):
    tasks.run_build(123456)


def test_a_project_knows_no_trigger_of_a_deleted_repository_and_can_be_deleted(alice, repository):
    deletion.delete_repository(alice.principal, "demo")
    project = Project.objects.get()
    assert projects.push_triggers(project) == []
    factories.repository("demo")
    assert projects.push_trigger(project) is None
    assert projects.delete_project(alice.principal, "demo")


def test_a_build_of_a_repository_that_is_gone_says_what_to_do(alice, repository):
    push(repository)
    build = Build.objects.get()
    deletion.delete_repository(alice.principal, "demo")
    with pytest.raises(PhaseError, match="repository not found for primary source .*: demo. It was deleted or renamed"):
        source.resolve(build, alice.principal)
