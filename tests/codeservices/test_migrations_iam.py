"""The migrations of identities run forward on a database that is in use, and back."""

from __future__ import annotations

import json

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def at_first_migration():
    call_command("migrate", "iam", "0001", verbosity=0)
    yield MigrationExecutor(connection).loader.project_state([("iam", "0001_initial")]).apps
    call_command("migrate", verbosity=0)


def test_a_document_becomes_the_version_that_is_in_force(at_first_migration):
    document = '{"Version": "2012-10-17", "Statement": []}'
    old_policy = at_first_migration.get_model("iam", "Policy")
    old_policy.objects.create(name="kept", document=document)
    old_user = at_first_migration.get_model("iam", "User")
    old_user.objects.create(name="with", password="argon2$x")
    old_user.objects.create(name="without", password="!x")

    call_command("migrate", verbosity=0)

    from codeservices.iam.models import Policy, User

    version = Policy.objects.get(name="kept").default_version
    assert (version.version_id, version.document) == ("v1", document)
    assert User.objects.get(name="with").password_set_at is not None
    assert User.objects.get(name="without").password_set_at is None

    call_command("migrate", "iam", "0001", verbosity=0)
    assert old_policy.objects.get(name="kept").document == document


def test_trust_policies_mean_whom_they_name_when_the_rule_comes(at_first_migration):
    account = settings.ACCOUNT_ID
    carol = at_first_migration.get_model("iam", "User").objects.create(name="carol", path="/ops/", user_id="AIDACAROL")
    old_role = at_first_migration.get_model("iam", "Role")
    night = old_role.objects.create(name="night", role_id="AROANIGHT", trust_policy="not JSON")
    session = f"arn:aws:sts::{account}:assumed-role/night/build"
    named = [f"arn:aws:iam::{account}:user/ops/carol", f"arn:aws:iam::{account}:user/carol", session]
    statement = {"Effect": "Allow", "Principal": {"AWS": named}, "Action": "sts:AssumeRole"}
    old_role.objects.create(name="day", trust_policy=json.dumps({"Statement": [statement]}))

    call_command("migrate", verbosity=0)

    from codeservices.iam.models import Role

    assert Role.objects.get(name="day").trusted_ids == {named[0]: carol.user_id, session: night.role_id}
    assert Role.objects.get(name="night").trusted_ids == {}
