from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from codeservices.audit.models import Event
from codeservices.iam import credentials
from codeservices.iam.authorize import is_allowed
from codeservices.iam.models import Group, MfaDevice, Policy, User
from tests import factories
from tests.factories import PASSWORD, allow

pytestmark = pytest.mark.django_db

READ_ONLY = "arn:aws:iam::aws:policy/AWSCodeCommitReadOnly"
PAGES = ["/iam/users/", "/iam/users/bob/", "/iam/groups/", "/iam/groups/team/", "/iam/policies/", "/iam/simulator/"]


@pytest.fixture
def team(db) -> Group:
    return Group.objects.create(name="team")


@pytest.mark.parametrize("address", [*PAGES, "/iam/users/new/", "/iam/policies/new/"])
def test_every_page_works_for_an_administrator(alice_client, bob, team, address):
    response = alice_client.get(address)
    assert response.status_code == 200
    assert response.content.decode().count("<h1") == 1


@pytest.mark.parametrize("address", [*PAGES, "/iam/users/new/", "/iam/policies/new/"])
def test_every_page_tells_an_outsider_which_action_is_missing(carol_client, bob, team, address):
    response = carol_client.get(address)
    assert response.status_code == 403
    assert "No statement of your policies allows it." in response.content.decode()
    assert Event.objects.get().outcome == "Denied"


@pytest.mark.parametrize("address", PAGES)
def test_every_page_asks_the_anonymous_to_sign_in(client, address):
    assert client.get(address)["Location"].startswith("/sign-in/")


def test_a_reader_of_users_sees_the_list_without_the_button(bob_client, alice):
    html = bob_client.get("/iam/users/").content.decode()
    assert "alice" in html
    assert "Create user" not in html


def test_the_list_tells_who_has_a_second_factor_whatever_its_length(alice_client, bob):
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            alice_client.get("/iam/users/")
        return len(asked)

    MfaDevice.objects.create(name="bob", user=bob, enabled_at=timezone.now(), sealed_secret="x")
    MfaDevice.objects.create(name="bob-2", user=bob, enabled_at=timezone.now(), sealed_secret="x")
    queries()  # the first look may write the session
    few = queries()
    for number in range(20):
        factories.user(f"user{number}")
    assert queries() == few
    html = alice_client.get("/iam/users/").content.decode()
    row = html[html.index('href="/iam/users/bob/"') :].partition("</tr>")[0]
    assert "<td>Yes</td>" in row and html.count("<td>Yes</td>") == 1
    assert html.count('<td><span class="muted">No</span></td>') == User.objects.count() - 1


def test_a_user_is_created_with_password_and_policies_and_can_act(alice_client):
    chosen = Policy.objects.get(name="AWSCodeCommitReadOnly")
    fields = {"name": "dave", "email": "d@example.com", "password": PASSWORD, "policies": [chosen.pk]}
    response = alice_client.post("/iam/users/new/", fields)
    assert response["Location"] == "/iam/users/dave/"
    dave = User.objects.get(name="dave")
    assert dave.check_password(PASSWORD)
    assert is_allowed(dave.principal, "codecommit:GitPull", "*")
    assert not is_allowed(dave.principal, "codecommit:GitPush", "*")


def test_a_user_is_created_with_path_groups_tags_and_a_password_to_be_changed(alice_client, team):
    fields = {"name": "dave", "path": "/eng/", "password": PASSWORD, "reset_required": "on", "groups": [team.pk]}
    alice_client.post("/iam/users/new/", {**fields, "tag_key": ["site", ""], "tag_value": ["Berlin", ""]})
    dave = User.objects.get(name="dave")
    assert (dave.path, dave.tags, dave.password_reset_required) == ("/eng/", {"site": "Berlin"}, True)
    assert list(dave.groups.all()) == [team]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "a b"}, "A user name has 1 to 64 letters"),
        ({"name": ""}, "This field is required."),
        ({"name": "Alice"}, "User with name Alice already exists."),
        ({"name": "dave", "password": "short"}, "too short"),
        ({"name": "dave", "email": "nonsense"}, "valid email"),
    ],
)
def test_a_user_that_cannot_be_made_is_refused_with_the_reason_and_leaves_nothing(alice_client, fields, sentence):
    response = alice_client.post("/iam/users/new/", fields)
    assert response.status_code == 400
    assert sentence in response.content.decode()
    assert not User.objects.filter(name="dave").exists()


def test_opening_a_form_is_no_act_and_sending_it_is_one(alice_client):
    alice_client.get("/iam/users/new/")
    assert not Event.objects.exists()
    alice_client.post("/iam/users/new/", {"name": "dave"})
    assert [event.event_name for event in Event.objects.all()] == ["CreateUser"]


def test_a_policy_is_attached_and_detached(alice_client, carol):
    alice_client.post("/iam/users/carol/policies", {"change": "attach", "policy_arn": READ_ONLY})
    assert is_allowed(carol.principal, "codecommit:GitPull", "*")
    assert "AWSCodeCommitReadOnly" in alice_client.get("/iam/users/carol/").content.decode()
    alice_client.post("/iam/users/carol/policies", {"change": "detach", "policy_arn": READ_ONLY})
    assert not is_allowed(carol.principal, "codecommit:GitPull", "*")


def test_nobody_attaches_a_policy_to_oneself_without_the_right(bob_client, bob):
    administrator = Policy.objects.get(name="AdministratorAccess").arn
    response = bob_client.post("/iam/users/bob/policies", {"change": "attach", "policy_arn": administrator})
    assert response.status_code == 403
    assert not is_allowed(bob.principal, "iam:CreateUser", "*")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"change": "attach", "policy_arn": "arn:aws:iam::aws:policy/None"}, 404),
        ({"change": "attach", "policy_arn": "nonsense"}, 400),
        ({"change": "explode", "policy_arn": READ_ONLY}, 400),
        ({}, 400),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(alice_client, carol, fields, status):
    assert alice_client.post("/iam/users/carol/policies", fields).status_code == status


def test_a_group_gives_its_policies_to_its_members_while_they_are_in_it(alice_client, carol):
    alice_client.post("/iam/groups/", {"name": "readers"})
    alice_client.post("/iam/groups/readers/policies", {"change": "attach", "policy_arn": READ_ONLY})
    alice_client.post("/iam/groups/readers/members", {"change": "add", "user": "carol"})
    assert is_allowed(carol.principal, "codecommit:GitPull", "*")
    assert "carol" in alice_client.get("/iam/groups/readers/members").content.decode()
    alice_client.post("/iam/users/carol/groups", {"change": "remove", "group": "readers"})
    assert not is_allowed(carol.principal, "codecommit:GitPull", "*")


def test_a_group_name_is_taken_once(alice_client, team):
    response = alice_client.post("/iam/groups/", {"name": "TEAM"})
    assert response.status_code == 400
    assert "already exists" in response.content.decode()


def test_a_group_is_deleted_when_it_is_empty_and_its_name_typed(alice_client, team, bob):
    bob.groups.add(team)
    assert alice_client.post("/iam/groups/team/delete", {"confirm_name": "tea"}).status_code == 400
    assert alice_client.post("/iam/groups/team/delete", {"confirm_name": "team"}).status_code == 409
    bob.groups.clear()
    assert alice_client.post("/iam/groups/team/delete", {"confirm_name": "team"}).status_code == 302
    assert not Group.objects.exists()


def test_a_user_is_locked_out_and_let_in_again(alice_client, bob, bob_client):
    alice_client.post("/iam/users/bob/active", {"active": "no"})
    assert bob_client.get("/").status_code == 302
    assert "Locked out" in alice_client.get("/iam/users/bob/").content.decode()
    alice_client.post("/iam/users/bob/active", {"active": "yes"})
    assert User.objects.get(name="bob").is_active


def test_an_administrator_sets_a_password(alice_client, carol):
    alice_client.post("/iam/users/carol/password", {"change": "set", "password": "another good passphrase"})
    carol.refresh_from_db()
    assert carol.check_password("another good passphrase")
    assert alice_client.post("/iam/users/carol/password", {"change": "set", "password": "x"}).status_code == 400


def test_a_user_is_deleted_with_all_that_hangs_on_it_when_its_name_is_typed(alice_client, carol):
    carol.policies.add(Policy.objects.get(name="AWSCodeCommitReadOnly"))
    credentials.issue_access_key(carol)
    assert alice_client.post("/iam/users/carol/delete", {"confirm_name": ""}).status_code == 400
    assert alice_client.post("/iam/users/carol/delete", {"confirm_name": "carol"})["Location"] == "/iam/users/"
    assert not User.objects.filter(name="carol").exists()


def test_a_policy_is_created_changed_and_deleted(alice_client, carol):
    document = json.dumps(allow("codecommit:GitPull"))
    response = alice_client.post("/iam/policies/new/", {"name": "pull", "document": document})
    assert response["Location"] == "/iam/policies/customer/pull/"
    carol.policies.add(Policy.objects.get(name="pull"))
    assert is_allowed(carol.principal, "codecommit:GitPull", "*")
    address = "/iam/policies/customer/pull/"
    alice_client.post(f"{address}edit", {"document": json.dumps(allow("codecommit:GitPush"))})
    assert not is_allowed(carol.principal, "codecommit:GitPull", "*")
    assert alice_client.post(f"{address}delete", {"confirm_name": "pull"}).status_code == 409
    carol.policies.clear()
    assert alice_client.post(f"{address}delete", {"confirm_name": "pull"}).status_code == 302
    assert not Policy.objects.filter(name="pull").exists()


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ('{"Version": "2012-10-17",\n "Statement": [}', "Line 2, column 16"),
        ('{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}', "needs an Effect of Allow or Deny"),
        (json.dumps(allow("GitPull")), "is no action"),
    ],
)
def test_a_faulty_policy_names_the_place_and_keeps_what_was_typed(alice_client, document, sentence):
    response = alice_client.post("/iam/policies/new/", {"name": "pull", "document": document})
    html = response.content.decode()
    assert response.status_code == 400
    assert sentence in html
    assert 'value="pull"' in html
    assert not Policy.objects.filter(name="pull").exists()


def test_a_policy_of_aws_is_shown_and_cannot_be_changed(alice_client):
    address = "/iam/policies/aws/AWSCodeCommitReadOnly/"
    assert "codecommit:GitPull" in alice_client.get(address).content.decode()
    assert "Edit document" not in alice_client.get(address).content.decode()
    assert alice_client.post(address, {"document": json.dumps(allow("*"))}).status_code == 405


@pytest.mark.parametrize(
    ("action", "answer"),
    [("codecommit:GitPull", "AWSCodeCommitReadOnly"), ("codecommit:GitPush", "No statement of the policies")],
)
def test_the_simulator_shows_the_statement_that_decides(alice_client, bob, action, answer):
    response = alice_client.get("/iam/simulator/", {"user": "bob", "action": action, "resource": "*"})
    assert answer in response.content.decode()


@pytest.mark.parametrize(
    "address",
    ["/iam/users/nobody/", "/iam/groups/nobody/", "/iam/policies/aws/None/", "/iam/policies/customer/None/"],
)
def test_a_missing_thing_is_a_404_with_its_name(alice_client, address):
    response = alice_client.get(address)
    assert response.status_code == 404
    assert "Not found" in response.content.decode()


@pytest.mark.parametrize("address", ["/iam/users/bob/policies", "/iam/users/bob/delete", "/iam/users/bob/active"])
def test_changes_are_posts(alice_client, bob, address):
    assert alice_client.get(address).status_code == 405


def test_the_list_is_filtered_and_paged(alice_client):
    User.objects.bulk_create([User(name=f"user-{number:03}") for number in range(60)])
    first = alice_client.get("/iam/users/", {"q": "user-"}).content.decode()
    assert "user-000" in first
    assert "user-055" not in first
    assert "1–50 of 60" in first
    second = alice_client.get("/iam/users/", {"q": "user-", "page": 2}).content.decode()
    assert "user-055" in second


def test_several_policies_are_attached_at_once_or_none(alice_client, carol):
    builds = "arn:aws:iam::aws:policy/AWSCodeBuildReadOnlyAccess"
    form = {"change": "attach", "policy_arn": [READ_ONLY, "arn:aws:iam::aws:policy/None"]}
    assert alice_client.post("/iam/users/carol/policies", form).status_code == 404
    assert not carol.policies.exists()
    alice_client.post("/iam/users/carol/policies", {"change": "attach", "policy_arn": [READ_ONLY, builds]})
    assert carol.policies.count() == 2


def test_a_user_is_renamed_and_moved(alice_client, carol):
    answer = alice_client.post("/iam/users/carol/settings", {"name": "caroline", "path": "/eng/"})
    assert answer["Location"] == "/iam/users/caroline/settings"
    carol.refresh_from_db()
    assert carol.arn.endswith(":user/eng/caroline")
    for fields, sentence in (
        ({"name": "alice", "path": "/"}, "already exists"),
        ({"name": "caroline", "path": "eng"}, "A path begins and ends with a slash"),
    ):
        refused = alice_client.post("/iam/users/caroline/settings", fields)
        assert refused.status_code == 400 and sentence in refused.content.decode()


def test_what_goes_with_a_user_is_told_before_it_is_deleted(alice_client, carol, team):
    key, _ = credentials.issue_access_key(carol)
    carol.groups.add(team)
    page = alice_client.get("/iam/users/carol/settings").content.decode()
    for part in ("its sign-in password", f"access key {key.access_key_id}", "its membership of group team"):
        assert part in page


def test_policies_that_come_from_groups_are_shown_on_the_users_page(alice_client, carol, team):
    team.policies.add(Policy.objects.get(name="AWSCodeBuildDeveloperAccess"))
    team.inline_policies.create(name="more", document=json.dumps(allow("codecommit:GitPull")))
    carol.groups.add(team)
    page = alice_client.get("/iam/users/carol/").content.decode()
    assert "/iam/groups/team/inline/more/" in page and "/iam/policies/aws/AWSCodeBuildDeveloperAccess/" in page


def test_several_members_are_added_at_once_and_the_group_renamed(alice_client, bob, carol, team):
    alice_client.post("/iam/groups/team/members", {"change": "add", "user": ["bob", "carol"]})
    assert team.users.count() == 2
    assert (
        alice_client.post("/iam/groups/team/members", {"change": "add", "user": ["alice", "none"]}).status_code == 404
    )
    assert team.users.count() == 2
    alice_client.post("/iam/groups/team/settings", {"name": "crew", "path": "/eng/"})
    team.refresh_from_db()
    assert team.arn.endswith(":group/eng/crew")


def test_a_password_is_required_anew_and_taken_away_after_the_name_was_typed(alice_client, carol):
    address = "/iam/users/carol/password"
    alice_client.post(address, {"change": "require", "reset_required": "on"})
    carol.refresh_from_db()
    assert carol.password_reset_required
    alice_client.post(address, {"change": "require"})
    assert alice_client.post(f"{address}/delete", {"confirm_name": "bob"}).status_code == 400
    carol.refresh_from_db()
    assert carol.has_usable_password() and not carol.password_reset_required
    alice_client.post(f"{address}/delete", {"confirm_name": "carol"})
    carol.refresh_from_db()
    assert not carol.has_usable_password()


def test_an_e_mail_address_is_changed_and_taken_away(alice_client, carol):
    form = {"name": "carol", "path": "/", "email": "carol@example.org"}
    assert alice_client.post("/iam/users/carol/settings", form)["Location"] == "/iam/users/carol/settings"
    carol.refresh_from_db()
    assert carol.email == "carol@example.org"
    page = alice_client.post("/iam/users/carol/settings", {**form, "email": "carol at home"})
    assert page.status_code == 400 and "Enter a valid email address." in page.content.decode()
    alice_client.post("/iam/users/carol/settings", {**form, "email": ""})
    carol.refresh_from_db()
    assert carol.email == ""
