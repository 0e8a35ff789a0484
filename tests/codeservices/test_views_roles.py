"""Pages of roles."""

from __future__ import annotations

import json

import pytest

from codeservices.iam.models import Role
from tests import factories
from tests.factories import allow
from tests.fixtures.people import signed_in

pytestmark = pytest.mark.django_db

ADDRESS = "/iam/roles/maker/"


@pytest.fixture
def maker(alice_client) -> Role:
    alice_client.post("/iam/roles/new/", {"name": "maker", "trusted": "builds", "description": "Makes things."})
    return Role.objects.get(name="maker")


def test_a_role_for_builds_trusts_the_build_service(maker):
    [statement] = json.loads(maker.trust_policy)["Statement"]
    assert statement["Principal"] == {"Service": "codebuild.amazonaws.com"}


def test_a_role_may_trust_one_user_the_account_or_whom_a_document_names(alice_client, bob, maker):
    one = {"name": "one", "trusted": "principal", "principal": bob.arn}
    assert alice_client.post("/iam/roles/new/", one)["Location"] == "/iam/roles/one/"
    assert bob.arn in Role.objects.get(name="one").trust_policy
    assert alice_client.post("/iam/roles/new/", {"name": "all", "trusted": "account"}).status_code == 302
    custom = {"name": "own", "trusted": "custom", "trust_policy": maker.trust_policy}
    assert alice_client.post("/iam/roles/new/", custom).status_code == 302
    assert Role.objects.get(name="own").trust_policy == maker.trust_policy


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "a b", "trusted": "builds"}, "A role name has 1 to 64 letters"),
        ({"name": "one", "trusted": "principal"}, "The choice above needs this."),
        ({"name": "one", "trusted": "principal", "principal": "bob"}, "bob"),
        ({"name": "one", "trusted": "custom", "trust_policy": "{"}, "Line 1, column 2"),
        ({"name": "codebuild-service-role", "trusted": "builds"}, "already exists"),
    ],
)
def test_a_role_that_cannot_be_made_is_refused_with_the_reason(alice_client, fields, sentence):
    answer = alice_client.post("/iam/roles/new/", fields)
    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    assert not Role.objects.filter(name="one").exists()


def test_the_trust_policy_is_replaced_and_a_faulty_one_refused(alice_client, alice, maker):
    statement = {"Effect": "Allow", "Principal": {"AWS": alice.arn}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    assert alice_client.post(f"{ADDRESS}trust", {"document": document}).status_code == 302
    refused = alice_client.post(f"{ADDRESS}trust", {"document": json.dumps(allow("*"))})
    assert refused.status_code == 400
    maker.refresh_from_db()
    assert maker.trust_policy == document


def test_description_session_and_tags_are_saved(alice_client, maker):
    alice_client.post(f"{ADDRESS}settings", {"description": "Other.", "hours": "12"})
    alice_client.post(f"{ADDRESS}tags", {"tag_key": "team", "tag_value": "a"})
    maker.refresh_from_db()
    assert (maker.description, maker.max_session_seconds, maker.tags) == ("Other.", 43200, {"team": "a"})
    assert alice_client.post(f"{ADDRESS}settings", {"description": "", "hours": "13"}).status_code == 400


def test_an_inline_policy_of_a_role_is_written_changed_and_deleted(alice_client, maker):
    first = json.dumps(allow("codecommit:GitPull"))
    assert alice_client.post(f"{ADDRESS}inline/", {"name": "pull", "document": first})["Location"] == ADDRESS
    again = alice_client.post(f"{ADDRESS}inline/", {"name": "pull", "document": first})
    assert again.status_code == 400 and "open it to change it" in again.content.decode()
    second = json.dumps(allow("codecommit:GitPush"))
    alice_client.post(f"{ADDRESS}inline/pull/", {"document": second})
    assert maker.inline_policies.get().document == second
    too_long = json.dumps(allow(*[f"codecommit:Get{number:06}" for number in range(500)]))
    assert "Maximum policy size" in alice_client.post(f"{ADDRESS}inline/pull/", {"document": too_long}).content.decode()
    assert alice_client.post(f"{ADDRESS}inline/pull/delete", {"confirm_name": "pul"}).status_code == 400
    alice_client.post(f"{ADDRESS}inline/pull/delete", {"confirm_name": "pull"})
    assert not maker.inline_policies.exists()


def test_the_projects_that_use_a_role_are_named_to_those_who_may_see_them(alice_client, alice):
    factories.project("website", repository_name=None, buildspec="version: 0.2\n")
    address = "/iam/roles/codebuild-service-role/"
    assert "website" in alice_client.get(address).content.decode()
    rita = factories.user("rita", "IAMReadOnlyAccess")
    assert "website" not in signed_in(rita).get(address).content.decode()


def test_a_role_is_deleted_with_its_inline_policies_when_its_name_is_typed(alice_client, maker):
    maker.inline_policies.create(name="pull", document=json.dumps(allow("codecommit:GitPull")))
    assert alice_client.post(f"{ADDRESS}delete", {"confirm_name": ""}).status_code == 400
    assert alice_client.post(f"{ADDRESS}delete", {"confirm_name": "maker"})["Location"] == "/iam/roles/"
    assert not Role.objects.filter(name="maker").exists()


def test_an_outsider_is_told_which_action_is_missing(carol_client, maker):
    for address, action in (("/iam/roles/", "ListRoles"), ("/iam/roles/new/", "CreateRole"), (ADDRESS, "GetRole")):
        answer = carol_client.get(address)
        assert answer.status_code == 403 and f"iam:{action}" in answer.content.decode()
