"""Repositories, triggers and pushes in the admin panel: looked at and searched by those who may."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from codeservices.audit.models import Event
from repos import deletion
from repos.models import (
    Comment,
    CommentReaction,
    Import,
    Mirror,
    MirrorRun,
    Push,
    Repository,
    Trigger,
    TriggerDelivery,
    Upkeep,
    UpkeepRun,
)
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


def fill(first: int) -> None:
    for number in range(first, first + 4):
        repository = factories.repository(f"repo{number}")
        repository.triggers.create(name=f"ring{number}", destination_arn="arn:aws:codebuild:::x", events=["all"])
        push = Push.objects.create(repository=repository, principal_arn="arn", principal_name=f"user{number}")
        push.trigger_deliveries.create(
            repository=repository, trigger_name=f"ring{number}", destination_arn="arn:aws:codebuild:::x", payload="{}"
        )
        now = timezone.now()
        Upkeep.objects.create(repository=repository, fsck_findings=[f"missing blob {number}"])
        UpkeepRun.objects.create(
            repository=repository, job="FSCK", outcome="FAILED", message=f"No {number}.", started_at=now, ended_at=now
        )
        source = {"url": f"https://git.example.com/{number}", "owner_name": "alice"}
        Import.objects.create(repository=repository, **source)
        Mirror.objects.create(repository=repository, **source).runs.create()
        comment = repository.comments.create(after_oid="1" * 40, content=f"Word {number}", author_name=f"user{number}")
        comment.reactions.create(short_code="clap", user_arn="arn")


def test_an_operator_looks_at_repositories_and_finds_their_pushes(alice_client):
    fill(0)
    row = Repository.objects.get(name="repo2")
    page = alice_client.get("/admin/repos/repository/?q=repo2").content.decode()
    assert "repo2" in page and "repo3" not in page
    detail = alice_client.get(f"/admin/repos/repository/{row.pk}/change/").content.decode()
    assert "ring2" in detail and row.arn in detail and 'name="_save"' not in detail
    pushes = alice_client.get(f"/admin/repos/push/?repository__id__exact={row.pk}").content.decode()
    assert "user2" in pushes and "user3" not in pushes
    assert list(Event.objects.order_by("pk").values_list("event_name", "resource_arn"))[-2:] == [
        ("GetRepository", row.arn),
        ("ListRepositories", "*"),
    ]


def test_deleted_repositories_are_found_as_long_as_they_are_kept(alice, alice_client):
    fill(0)
    row = Repository.objects.get(name="repo2")
    deletion.delete_repository(alice.principal, "repo2")
    page = alice_client.get("/admin/repos/repository/?deleted_at__isempty=0").content.decode()
    assert "repo2" in page and "repo3" not in page
    detail = alice_client.get(f"/admin/repos/repository/{row.pk}/change/").content.decode()
    assert alice.arn in detail and f"/deleted-repositories/repo2/{row.repository_id}/" in detail
    assert "user2" in alice_client.get("/admin/repos/push/").content.decode()


def test_nothing_is_changed_there(alice_client):
    fill(0)
    row = Repository.objects.get(name="repo1")
    assert alice_client.get("/admin/repos/repository/add/").status_code == 403
    assert alice_client.post(f"/admin/repos/repository/{row.pk}/change/", {"name": "x"}).status_code == 403
    assert alice_client.post(f"/admin/repos/repository/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    form = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    page = alice_client.post("/admin/repos/repository/", form, follow=True).content.decode()
    assert "Successfully deleted" not in page
    assert Repository.objects.count() == 4


def test_others_are_kept_out(bob_client, carol_client, client):
    for each in (bob_client, carol_client, client):
        assert each.get("/admin/repos/repository/").status_code == 302


@pytest.mark.parametrize(
    "model",
    [
        Comment,
        CommentReaction,
        Repository,
        Trigger,
        TriggerDelivery,
        Push,
        Upkeep,
        UpkeepRun,
        Import,
        Mirror,
        MirrorRun,
    ],
)
def test_a_longer_list_asks_no_more_queries(alice_client, model):
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            alice_client.get(f"/admin/repos/{model._meta.model_name}/")
        return len(asked)

    fill(0)
    queries()
    before = queries()
    fill(10)
    assert queries() == before < 25


def test_an_operator_finds_what_upkeep_did_and_found(alice_client):
    fill(0)
    row = Upkeep.objects.get(repository__name="repo2")
    assert "missing blob 2" in alice_client.get(f"/admin/repos/upkeep/{row.pk}/change/").content.decode()
    runs = alice_client.get("/admin/repos/upkeeprun/?q=repo2").content.decode()
    assert "No 2." in runs and "No 3." not in runs
