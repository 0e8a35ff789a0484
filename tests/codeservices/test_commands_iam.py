"""Users and credentials without a browser."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from codeservices.audit.models import Event
from codeservices.iam import credentials
from codeservices.iam.models import User

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> dict[str, str]:
    """The command's output lines as name and value."""
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    lines = out.getvalue().replace(" = ", " ").replace("=", " ", 1).splitlines()
    return {line.replace("=", " ", 1).split(" ")[0]: line.replace("=", " ", 1).split(" ", 1)[1] for line in lines}


def test_a_user_is_made_with_a_password_that_works_and_the_policies_that_were_named():
    shown = run("create_user", "dora", "--email", "dora@example.org", "--policy", "AWSCodeCommitPowerUser")
    user = User.objects.get(name="dora")
    assert shown["username"] == "dora"
    assert user.check_password(shown["password"])
    assert user.email == "dora@example.org"
    assert [policy.name for policy in user.policies.all()] == ["AWSCodeCommitPowerUser"]
    assert shown["Created"].startswith("1 user with 1 policies.")


def test_a_user_may_be_given_a_policy_by_its_arn():
    run("create_user", "dora", "--policy", "arn:aws:iam::aws:policy/AdministratorAccess")
    assert User.objects.get(name="dora").is_staff


def test_a_lost_password_is_replaced(alice):
    shown = run("reset_password", "alice")
    alice.refresh_from_db()
    assert alice.check_password(shown["password"])


def test_an_access_key_is_printed_as_a_credentials_file_has_it(alice):
    shown = run("create_access_key", "alice")
    key = credentials.find_access_key(shown["aws_access_key_id"])
    assert key is not None
    assert key.secret == shown["aws_secret_access_key"]


def test_a_git_credential_is_printed_as_git_helpers_read_it(alice):
    shown = run("create_git_credential", "alice")
    found = credentials.authenticate_basic(shown["username"], shown["password"], path="/", hosts=())
    assert found == alice.principal


def test_each_command_is_one_act_of_the_account_in_the_audit_trail(alice):
    run("create_access_key", "alice")
    event = Event.objects.get(event_name="CreateAccessKey")
    assert (event.via, event.principal_name, event.user_agent) == ("shell", "root", "manage.py create_access_key")


@pytest.mark.parametrize("command", ["reset_password", "create_access_key", "create_git_credential"])
def test_an_unknown_user_is_refused_in_words(command):
    with pytest.raises(CommandError, match="The user with name nobody cannot be found"):
        run(command, "nobody")


def test_an_unknown_policy_leaves_no_user_behind():
    with pytest.raises(CommandError, match="There is no policy called Everything"):
        run("create_user", "dora", "--policy", "Everything")
    assert not User.objects.filter(name="dora").exists()


def test_a_name_that_is_taken_is_refused(alice):
    with pytest.raises(CommandError, match="User with name ALICE already exists"):
        run("create_user", "ALICE")


def test_a_third_key_is_refused_with_the_quota(alice):
    run("create_access_key", "alice")
    run("create_access_key", "alice")
    with pytest.raises(CommandError, match="has 2 access keys already"):
        run("create_access_key", "alice")
