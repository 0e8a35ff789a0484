"""The first administrator: once, whole, and recoverable wherever it was interrupted."""

from __future__ import annotations

import json
import stat

import pytest
from django.db import transaction

from codeservices.audit.models import Event
from codeservices.iam import credentials, first_run, managed_policies
from codeservices.iam.models import User

pytestmark = pytest.mark.django_db(transaction=True)
KEYS = [
    "console_url",
    "https_url",
    "ca_file",
    "username",
    "password",
    "AccessKeyId",
    "SecretAccessKey",
    "git_username",
    "git_password",
    "region",
    "account_id",
]


@pytest.fixture(autouse=True)
def _fresh(settings, tmp_path):
    settings.VAR = tmp_path
    managed_policies.install()


def told() -> dict[str, str]:
    return json.loads(first_run.path().read_text())


def test_the_file_tells_exactly_what_is_needed_to_begin_and_all_of_it_works():
    assert first_run.ensure("host.example")
    found = told()
    assert list(found) == KEYS
    assert stat.S_IMODE(first_run.path().stat().st_mode) == 0o600
    assert found["https_url"] == "https://host.example:8443"
    user = User.objects.get(name=found["username"])
    assert user.check_password(found["password"])
    key = credentials.find_access_key(found["AccessKeyId"])
    assert key is not None
    assert (key.secret, key.principal.arn) == (found["SecretAccessKey"], user.arn)
    asked = credentials.authenticate_basic(found["git_username"], found["git_password"], path="/", hosts=())
    assert asked == user.principal
    assert user.is_staff


def test_the_making_is_in_the_audit_trail():
    first_run.ensure("host")
    events = Event.objects.filter(via="shell").order_by("pk")
    assert [event.event_name for event in events] == [
        "CreateUser",
        "UpdateLoginProfile",
        "AttachUserPolicy",
        "CreateAccessKey",
        "CreateServiceSpecificCredential",
    ]
    assert {event.principal_arn for event in events} == {"arn:aws:iam::123456789012:root"}


def test_a_second_run_changes_nothing():
    first_run.ensure("host")
    before = first_run.path().read_text()
    assert not first_run.ensure("host")
    assert first_run.path().read_text() == before
    assert User.objects.count() == 1


def test_changed_ports_are_told_and_the_secrets_stay(settings):
    first_run.ensure("host")
    before = told()
    settings.HTTPS_PORT, settings.HTTP_PORT = 9443, 9000
    first_run.ensure("host")
    changed = {"https_url": "https://host:9443", "console_url": "http://127.0.0.1:9000"}
    assert told() == {**before, **changed}


def test_a_file_that_was_removed_later_stays_removed():
    first_run.ensure("host")
    first_run.path().unlink()
    assert not first_run.ensure("host")
    assert not first_run.path().exists()


def test_interrupted_before_the_database_knows_it_begins_anew(monkeypatch):
    draft = first_run.path().with_name(".admin.json.new")

    class Killed(BaseException):
        pass

    def killed(*arguments: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(type(draft), "replace", killed)
        with pytest.raises(Killed), transaction.atomic():
            first_run.ensure("host")
    assert draft.exists()
    assert not User.objects.exists()
    assert first_run.ensure("host")
    assert User.objects.get().check_password(told()["password"])
    assert not draft.exists()


def test_interrupted_after_the_database_knows_it_the_file_gets_its_name():
    first_run.ensure("host")
    draft = first_run.path().with_name(".admin.json.new")
    first_run.path().rename(draft)
    assert first_run.ensure("host")
    assert User.objects.get().check_password(told()["password"])
    assert not draft.exists()


def test_an_installation_with_users_gets_no_second_administrator():
    User.objects.create(name="someone")
    assert not first_run.ensure("host")
    assert list(User.objects.values_list("name", flat=True)) == ["someone"]
