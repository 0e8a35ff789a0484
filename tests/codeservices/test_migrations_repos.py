"""The migrations of repositories run forward on a database that is in use."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from repos.models import Push, PushState, Repository, Trigger

pytestmark = pytest.mark.django_db(transaction=True)

COMMANDS = [{"refname": "refs/heads/main", "old_oid": "0" * 40, "new_oid": "a" * 40}]


@pytest.fixture
def at_first_migration():
    call_command("migrate", "notifications", "zero", verbosity=0)
    call_command("migrate", "repos", "0001", verbosity=0)
    yield MigrationExecutor(connection).loader.project_state([("repos", "0001_initial")]).apps
    call_command("migrate", verbosity=0)


def test_repositories_keep_their_rows_and_get_what_is_new(at_first_migration):
    old_repository = at_first_migration.get_model("repos", "Repository")
    made = old_repository.objects.create(name="site", description="Ours.", tags={"team": "web"})
    made.pushes.create(principal_arn="arn:aws:iam::123456789012:user/erin", state="RECORDED", commands=COMMANDS)
    made.triggers.create(name="ring", destination_arn="arn:aws:codebuild:us-east-1:123456789012:project/p")
    old_repository.objects.create(name="empty")

    call_command("migrate", verbosity=0)

    site = Repository.objects.get(name="site")
    assert (site.repository_id, site.description, site.tags) == (made.repository_id, "Ours.", {"team": "web"})
    assert (site.archived_at, site.deleted_at, site.quota_bytes, site.size_bytes) == (None, None, None, 0)
    push = Push.objects.get()
    assert (push.repository, push.state, push.commands, push.options) == (site, PushState.RECORDED, COMMANDS, [])
    ring = Trigger.objects.get()
    assert (ring.repository, ring.name, ring.endpoint_url) == (site, "ring", "")
    # A name is free again once its repository is deleted: uniqueness is among the living alone, as of now.
    Repository.objects.filter(name="site").update(deleted_at=timezone.now())
    Repository.objects.create(name="site")
    assert Repository.all_objects.filter(name="site").count() == 2
