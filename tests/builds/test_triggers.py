"""Builds that pushes start, through a trigger that names a project, and the tasks that workers run."""

from __future__ import annotations

import pytest

from builds import lifecycle, projects, service_role, tasks, triggers
from builds.models import Build, Project
from builds.runner.executor import PhaseError
from codeservices import work
from codeservices.audit.models import Event
from codeservices.iam.models import Role
from repos import deletion
from repos.models import Push, PushState, TriggerDelivery
from repos.pushes import receive
from repos.triggers import config as trigger_config
from repos.triggers import deliveries as trigger_deliveries
from repos.triggers.config import TriggerSettings
from tests import factories, gitrepo
from tests.builds import sourced

pytestmark = pytest.mark.django_db(transaction=True)
ZERO = "0" * 40
PUSHER = "arn:aws:iam::123456789012:user/bob"


@pytest.fixture(autouse=True)
def sent(monkeypatch) -> list[tuple[str, int]]:
    """The tasks that would have been sent to a worker, with their row."""
    found: list[tuple[str, int]] = []
    monkeypatch.setattr(work.current_app, "send_task", lambda name, args, **options: found.append((name, args[0])))
    return found


@pytest.fixture
def project(repository) -> Project:
    return factories.project("demo")


@pytest.fixture
def repository(alice):
    return factories.repository("demo")


@pytest.fixture
def trigger(alice, repository, project):
    wanted = TriggerSettings("on-push", project.arn, ("all",), ())
    return trigger_config.add_trigger(alice.principal, "demo", wanted)


def push(repository, *refnames: str, old: str = ZERO, new: str = "", by: str = PUSHER) -> TriggerDelivery | None:
    """What became of the one trigger's delivery of a push of these refs; None where there is none."""
    commands = []
    for refname in refnames or ("refs/heads/main",):
        oid = new or gitrepo.commit(repository.git, {"a": refname}, refname=refname)
        commands.append({"refname": refname, "old_oid": old, "new_oid": oid})
    row = Push.objects.create(
        repository=repository,
        principal_arn=by,
        principal_name="bob",
        state=PushState.RECORDED,
        commands=commands,
    )
    assert receive.deliver(row.pk)
    delivery = row.trigger_deliveries.first()
    return trigger_deliveries.run(delivery.pk) if delivery is not None else None


def test_a_push_to_a_watched_branch_starts_a_build_of_exactly_that_commit(repository, trigger, sent):
    delivery = push(repository)
    build = Build.objects.get()
    oid = gitrepo.git(repository.git, "rev-parse", "main")
    assert (build.source_version, build.initiator) == (f"refs/heads/main^{{{oid}}}", "codecommit/bob")
    assert sent == [("repos.tasks.run_trigger_delivery", delivery.pk), ("builds.tasks.run_build", build.pk)]
    assert delivery.is_delivered
    assert delivery.results == [{"ref": "refs/heads/main", "project": "demo", "number": build.number}]
    event = Event.objects.get(event_name="StartBuild")
    assert event.response_elements["build"]["projectName"] == event.request_parameters["projectName"]
    assert (event.principal_kind, event.via) == ("role", "worker")
    assert event.additional_event_data["delivery"] == str(delivery.delivery_id)


def test_a_pushed_tag_is_built(repository, trigger):
    assert push(repository, "refs/tags/v1").is_delivered
    assert Build.objects.get().source_version.startswith("refs/tags/v1^{")


def test_a_deleted_ref_starts_nothing_and_the_delivery_says_so(repository, trigger):
    delivery = push(repository, "refs/tags/v1", old="1" * 40, new=ZERO)
    assert delivery.is_delivered and "nothing to build" in delivery.results[0]["note"]
    assert not Build.objects.exists()


def test_other_branches_and_tags_than_those_named_start_nothing(alice, repository, project):
    wanted = TriggerSettings("on-push", project.arn, ("updateReference", "createReference"), ("main",))
    trigger_config.add_trigger(alice.principal, "demo", wanted)
    assert push(repository, "refs/heads/other") is None
    assert push(repository, "refs/tags/v1") is None
    assert push(repository, old="1" * 40, new=ZERO) is None


def test_a_role_that_may_not_start_builds_is_denied_on_record_and_the_push_goes_on(repository, trigger):
    Role.objects.get().policies.clear()
    delivery = push(repository)
    assert not Build.objects.exists()
    assert Event.objects.get(event_name="StartBuild").outcome == "Denied"
    assert not delivery.is_delivered and "codebuild:StartBuild" in delivery.error


@pytest.mark.parametrize("change", ["gone", "renamed"])
def test_a_project_that_is_gone_or_called_otherwise_fails_the_delivery_for_good(repository, trigger, change):
    Project.objects.all().delete() if change == "gone" else Project.objects.update(name="other")
    delivery = push(repository)
    assert not Build.objects.exists()
    assert (delivery.state, delivery.error) == ("FAILED", "There is no build project called demo.")


def test_a_project_of_another_repository_is_built_once_as_it_is(alice, repository):
    downstream = factories.project("downstream", repository_name="library")
    Project.objects.update(source_version="stable")
    trigger_config.add_trigger(alice.principal, "demo", TriggerSettings("down", downstream.arn))
    push(repository, "refs/heads/main", "refs/heads/other")
    assert Build.objects.get().source_version == "stable"


def test_a_repository_deleted_meanwhile_is_not_built(repository, trigger):
    row = Push.objects.create(repository=repository, principal_arn=PUSHER, state=PushState.RECORDED, commands=[])
    delivery = trigger_deliveries.record(row, [receive.RefCommand("refs/heads/main", ZERO, "1" * 40)])[0]
    type(repository).objects.update(deleted_at=row.begun_at)
    assert "has been deleted" in trigger_deliveries.run(delivery.pk).error
    assert not Build.objects.exists()


def test_a_push_of_many_refs_starts_a_bounded_number_of_builds_and_says_how_many_it_left(repository, trigger):
    oid = gitrepo.commit(repository.git, {"a": "1"})
    delivery = push(repository, *(f"refs/tags/v{number}" for number in range(25)), new=oid)
    assert Build.objects.count() == triggers.MAX_BUILDS == 20
    assert delivery.is_delivered and "5 more branches or tags got none" in delivery.results[-1]["note"]


class Killed(BaseException):
    """As SIGKILL: nothing of ours catches it."""


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("where", ["before start", "before note", "after note"])
def test_a_worker_killed_at_any_point_starts_each_build_exactly_once(repository, trigger, monkeypatch, where, number):
    oid = gitrepo.commit(repository.git, {"a": "1"})
    start_build, note = lifecycle.start_build, trigger_deliveries.note
    calls = {"start": 0, "note": 0}

    def dying_start(*args, **named):
        if where == "before start" and calls["start"] == number:
            raise Killed
        calls["start"] += 1
        return start_build(*args, **named)

    def dying_note(*args, **named):
        if where == "before note" and calls["note"] == number:
            raise Killed
        note(*args, **named)
        if where == "after note" and calls["note"] == number:
            raise Killed
        calls["note"] += 1

    monkeypatch.setattr(lifecycle, "start_build", dying_start)
    monkeypatch.setattr(trigger_deliveries, "note", dying_note)
    with pytest.raises(Killed):
        push(repository, "refs/heads/main", "refs/tags/v1", new=oid)
    monkeypatch.setattr(lifecycle, "start_build", start_build)
    monkeypatch.setattr(trigger_deliveries, "note", note)
    delivery = TriggerDelivery.objects.get()
    assert delivery.is_waiting and trigger_deliveries.run(delivery.pk) is None  # the dead one's claim still holds
    TriggerDelivery.objects.update(next_attempt_at=delivery.created_at)
    assert trigger_deliveries.run(delivery.pk).is_delivered
    assert sorted(Build.objects.values_list("source_version", flat=True)) == [
        f"refs/heads/main^{{{oid}}}",
        f"refs/tags/v1^{{{oid}}}",
    ]
    assert len(TriggerDelivery.objects.get().results) == 2


def test_a_worker_that_was_taken_for_dead_starts_nothing_more(repository, trigger, monkeypatch):
    start_build = lifecycle.start_build

    def slow_start(*args, **named):
        TriggerDelivery.objects.update(attempt_count=2)  # another worker claims the row meanwhile
        return start_build(*args, **named)

    monkeypatch.setattr(lifecycle, "start_build", slow_start)
    assert push(repository) is None
    assert not Build.objects.exists()
    assert TriggerDelivery.objects.get().is_waiting


def test_a_chain_of_builds_that_push_to_their_own_repository_ends(repository, trigger):
    by = PUSHER
    for number in range(triggers.MAX_CHAIN):
        assert push(repository, f"refs/heads/b{number}", by=by).is_delivered
        build = Build.objects.latest("pk")
        by = f"arn:aws:sts::123456789012:assumed-role/role/{service_role.session_name(build)}"
    delivery = push(repository, "refs/heads/last", by=by)
    assert delivery.state == "FAILED" and "last of 5 builds" in delivery.error
    assert Build.objects.count() == triggers.MAX_CHAIN


def test_a_test_of_a_trigger_builds_the_newest_commit(alice, repository, trigger):
    delivery = trigger_config.test_trigger(alice.principal, "demo", "on-push")
    assert not delivery.is_delivered and "no commit" in delivery.error
    oid = gitrepo.commit(repository.git, {"a": "1"})
    assert trigger_config.test_trigger(alice.principal, "demo", "on-push").is_delivered
    build = Build.objects.get()
    assert (build.source_version, build.initiator) == (f"refs/heads/main^{{{oid}}}", "codecommit/alice")


def test_one_may_choose_the_projects_that_one_may_start(alice, bob, project):
    assert [one.name for one in triggers.choices(alice.principal)] == ["demo"]
    assert triggers.choices(bob.principal) == []


def test_a_task_for_a_build_that_is_gone_does_nothing(db):
    tasks.run_build(123456)


def test_a_project_knows_no_trigger_of_a_deleted_repository_and_can_be_deleted(alice, trigger):
    deletion.delete_repository(alice.principal, "demo")
    project = Project.objects.get()
    assert projects.push_triggers(project) == []
    factories.repository("demo")
    assert projects.push_trigger(project) is None
    assert projects.delete_project(alice.principal, "demo")


def test_a_build_of_a_repository_that_is_gone_says_what_to_do(alice, repository, trigger):
    push(repository)
    build = Build.objects.get()
    deletion.delete_repository(alice.principal, "demo")
    with pytest.raises(PhaseError, match="repository not found for primary source .*: demo. It was deleted or renamed"):
        sourced.opened(build, alice.principal)
