"""Pages of policies: versions, comparison, attaching from the policy's side, tags, the editor's answers."""

from __future__ import annotations

import json

import pytest

from codeservices.audit.models import Event
from codeservices.iam.authorize import is_allowed
from codeservices.iam.models import Group, Policy, Role
from codeservices.iam.views import documents
from tests import factories
from tests.factories import allow

pytestmark = pytest.mark.django_db

PULL, PUSH = json.dumps(allow("codecommit:GitPull")), json.dumps(allow("codecommit:GitPush"))
ADDRESS = "/iam/policies/customer/ours/"


@pytest.fixture
def ours(db) -> Policy:
    """A policy with two versions, the first of which is in force."""
    made = Policy.objects.create_with_document(PULL, name="ours", description="Pulls.")
    made.versions.create(number=2, document=PUSH)
    made.last_version_number = 2
    made.save()
    return made


def page(client, address: str) -> str:
    return client.get(address).content.decode()


def test_the_version_in_force_is_shown_and_any_other_on_request(alice_client, ours):
    shown = page(alice_client, ADDRESS)
    assert "codecommit:GitPull" in shown and "codecommit:GitPush" not in shown
    assert "Not in force" not in shown
    other = page(alice_client, f"{ADDRESS}?version=v2")
    assert "codecommit:GitPush" in other and "Not in force" in other
    assert alice_client.get(f"{ADDRESS}?version=v9").status_code == 404


def test_a_policy_that_can_not_be_read_any_more_opens_says_why_and_is_replaced(alice_client, carol, carol_client, ours):
    old = '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],\n "Statement": []}'
    ours.versions.filter(number=1).update(document=old)
    carol.policies.add(ours)
    denied = carol_client.get("/repositories/")
    assert denied.status_code == 403 and "until it is put right" in denied.content.decode()
    shown = page(alice_client, ADDRESS)
    assert "Line 2, column 2: This is not JSON: The key “Statement” stands twice in one object." in shown
    assert "it denies everything" in shown and shown.count("&quot;Effect&quot;") >= 1
    assert "&quot;Statement&quot;: []" in page(alice_client, f"{ADDRESS}edit")
    for address in (f"{ADDRESS}compare?from=v1&to=v2", f"/admin/iam/policy/{ours.pk}/change/", "/iam/users/carol/"):
        assert alice_client.get(address).status_code == 200
    asked = page(alice_client, "/iam/simulator/?user=carol&action=codecommit:GitPull")
    assert "can't be read. Line 2, column 2" in asked
    assert alice_client.post(f"{ADDRESS}edit", {"document": PULL}).status_code == 302
    assert "it denies everything" not in page(alice_client, ADDRESS)
    assert is_allowed(carol.principal, "codecommit:GitPull", "*")


def test_two_versions_are_compared_line_by_line(alice_client, ours):
    shown = page(alice_client, f"{ADDRESS}compare?from=v1&to=v2")
    assert 'data-kind="removed"' in shown and 'data-kind="added"' in shown
    assert "say the same" in page(alice_client, f"{ADDRESS}compare?from=v1&to=v1")
    assert alice_client.get(f"{ADDRESS}compare?from=v1").status_code == 404


def test_a_version_is_brought_into_force_and_another_deleted_after_its_id_was_typed(alice_client, ours):
    change = f"{ADDRESS}versions"
    alice_client.post(change, {"change": "default", "version": "v2"})
    assert ours.default_version.version_id == "v2"
    assert alice_client.post(change, {"change": "delete", "version": "v1", "confirm_name": "v"}).status_code == 400
    assert alice_client.post(change, {"change": "delete", "version": "v2", "confirm_name": "v2"}).status_code == 409
    alice_client.post(change, {"change": "delete", "version": "v1", "confirm_name": "v1"})
    assert [one.version_id for one in ours.versions.all()] == ["v2"]


def test_the_editor_makes_a_new_version_that_is_in_force(alice_client, ours):
    assert alice_client.post(f"{ADDRESS}edit", {"document": PUSH})["Location"] == ADDRESS
    assert (ours.default_version.version_id, ours.document) == ("v3", PUSH)
    refused = alice_client.post(f"{ADDRESS}edit", {"document": '{"Statement": {}}'})
    assert refused.status_code == 400 and ours.versions.count() == 3


def test_a_policy_is_attached_to_several_from_its_own_page_or_to_none(alice_client, ours, bob, carol):
    team = Group.objects.create(name="team")
    form = {"change": "attach", "entity": ["user/carol", "group/team", "role/codebuild-service-role"]}
    alice_client.post(f"{ADDRESS}entities", form)
    assert list(carol.policies.all()) == list(team.policies.all()) == [ours]
    assert Role.objects.get(policies=ours).name == "codebuild-service-role"
    alice_client.post(f"{ADDRESS}entities", {"change": "detach", "entity": "user/carol"})
    assert not carol.policies.exists()
    for entities, status in ((["user/carol", "user/nobody"], 404), (["robot/carol"], 400), ([], 400)):
        answer = alice_client.post(f"{ADDRESS}entities", {"change": "attach", "entity": entities})
        assert answer.status_code == status
        assert not carol.policies.exists()


def test_tags_are_added_changed_and_removed_in_one_form(alice_client, ours):
    alice_client.post(f"{ADDRESS}tags", {"tag_key": ["team", "site", ""], "tag_value": ["a", "b", "c"]})
    alice_client.post(f"{ADDRESS}tags", {"tag_key": ["team", ""], "tag_value": ["x", "b"]})
    ours.refresh_from_db()
    assert ours.tags == {"team": "x"}
    twice = alice_client.post(f"{ADDRESS}tags", {"tag_key": ["team", "team"], "tag_value": ["x", "y"]})
    assert twice.status_code == 400 and "stands there twice" in twice.content.decode()


def test_the_list_shows_a_part(alice_client, ours, bob):
    assert "AWSCodeCommitReadOnly" not in page(alice_client, "/iam/policies/?scope=customer")
    assert "ours" not in page(alice_client, "/iam/policies/?scope=aws")
    attached = page(alice_client, "/iam/policies/?scope=attached")
    assert "AWSCodeCommitReadOnly" in attached and "ours" not in attached


def test_a_reader_sees_a_policy_without_a_button_that_changes_it(ours, client):
    reader = factories.user("rita", "IAMReadOnlyAccess")
    client.force_login(reader)
    shown = page(client, ADDRESS)
    assert "codecommit:GitPull" in shown
    for word in ("Edit document", "Attach to", "Save tags", "Delete policy", "Bring into force"):
        assert word not in shown, word
    assert client.get(f"{ADDRESS}edit").status_code == 403


def test_the_editor_is_told_every_fault_with_its_place_and_the_length(alice_client):
    faulty = '{"Version": "2012-10-17",\n "Statement": [{"Effect": "Maybe",\n "Action": "pull", "Resource": "*"}]}'
    told = alice_client.post("/iam/policies/check?kind=managed", {"document": faulty}).content.decode()
    assert "2 problems" in told
    assert 'data-line="2"' in told and 'data-line="3"' in told
    right = alice_client.post("/iam/policies/check?kind=user-inline&others=1990", {"document": PULL}).content.decode()
    assert "Too long" in right and "of 2,048 characters" in right
    assert "Valid" in alice_client.post("/iam/policies/check", {"document": PULL}).content.decode()
    trust = alice_client.post("/iam/policies/check?kind=trust", {"document": PULL}).content.decode()
    assert "Principal" in trust
    huge = alice_client.post("/iam/policies/check", {"document": "[" * 200_000}).content.decode()
    assert "longer than 100,000" in huge
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    "key", ["read-one", "power-prefix", "protect-branch", "builds-one", "builds-secrets", "own-credentials"]
)
def test_every_starting_policy_can_be_saved_as_it_is(alice_client, key):
    shown = alice_client.get(f"/iam/policies/new/?start={key}")
    document = shown.context["form"]["document"].value()
    assert alice_client.post("/iam/policies/new/", {"name": key, "document": document}).status_code == 302


@pytest.mark.parametrize("number", [1, 2])
def test_the_lines_of_a_statement_are_those_it_stands_on(number):
    statements = [
        {"Effect": "Allow", "Action": ["a:B", "a:C"], "Resource": "*"},
        {"Effect": "Deny", "NotAction": "x:Y"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Id": "x", "Statement": statements})
    marked = [line for line in documents.lines(document, number) if line.is_marked]
    text = "".join(text for line in marked for _, text in line.spans)
    assert json.loads(text.rstrip(",")) == statements[number - 1]


def test_a_single_statement_without_a_list_is_marked_too():
    document = json.dumps({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    assert [line.number for line in documents.lines(document, 1) if line.is_marked] == [2, 3, 4, 5, 6]


def test_no_text_of_a_document_is_lost_or_taken_as_markup(alice_client):
    hostile = "<script>alert(1)</script>"
    made = Policy.objects.create_with_document(
        json.dumps({"Version": "2012-10-17", "Id": hostile, **{"Statement": allow("a:B")["Statement"]}}), name="odd"
    )
    shown = page(alice_client, f"/iam/policies/customer/{made.name}/")
    assert hostile not in shown and "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
