"""The admin panel: who sees what, changes through services, bulk actions row by row, and the trail of it all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from codeservices.admin.base import ActionAdmin
from codeservices.audit.models import Event, Outcome
from codeservices.iam import credentials
from codeservices.iam.models import (
    AccessKey,
    ConsoleSession,
    GitCredential,
    Group,
    InlinePolicy,
    MfaDevice,
    Policy,
    PolicyVersion,
    Role,
    SshPublicKey,
    TemporaryCredential,
    User,
)
from tests import factories
from tests.codeservices.behind_doors import DOCUMENT, body, denied_action
from tests.codeservices.panel import act_on, changes, operator, place
from tests.codeservices.worlds import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


def user_form(user: User, **changed: Any) -> dict[str, Any]:
    """The change form of a user as a browser would send it."""
    form: dict[str, Any] = {
        "name": user.name,
        "path": user.path,
        "is_active": "on" if user.is_active else "",
        "policies": [one.pk for one in user.policies.all()],
        "groups": [one.pk for one in user.groups.all()],
    }
    for prefix in ("access_keys", "git_credentials", "ssh_public_keys", "mfa_devices", "inline_policies"):
        form |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    return {key: value for key, value in (form | changed).items() if value != ""}


# ---- who sees what ---------------------------------------------------------------------------------------------------


def test_whoever_has_the_panel_and_nothing_else_sees_neither_list_nor_row(world: World):
    client = operator()
    assert "/admin/iam/" not in body(client.get("/admin/")) and "/admin/repos/" not in body(client.get("/admin/"))
    for model, panel in admin.site._registry.items():
        row = model._default_manager.first()
        assert isinstance(panel, ActionAdmin), f"{model} is open to everybody who has the panel"
        assert denied_action(client.get(place(model))) == panel.list_action, model
        if row is not None:
            for page in ("change", "history"):
                refused = client.get(place(model, page, row.pk))
                assert denied_action(refused) == panel.actions_of(row).view, model
                missing = client.get(place(model, page, 999_999))
                assert denied_action(missing).partition(":")[0] == denied_action(refused).partition(":")[0]
                assert "hush" not in body(refused) and "dora" not in body(refused)
    assert Event.objects.filter(outcome=Outcome.DENIED, principal_name="oscar", event_name="ListUsers").count() == 1


def test_a_class_that_offers_a_button_names_the_service_behind_it():
    for model, panel in admin.site._registry.items():
        assert isinstance(panel, ActionAdmin)
        offered = {"create": panel.add_action, "change": panel.change_actions, "remove": panel.delete_action}
        for method, actions in offered.items():
            is_refusal = getattr(type(panel), method) is getattr(ActionAdmin, method)
            assert not (actions and is_refusal), f"{model} {method}"


def test_a_row_that_is_hidden_and_one_that_is_missing_look_the_same(world: World):
    client = operator("iam:ListUsers")
    dora = User.objects.get(name="dora")
    hidden, missing = (client.get(place(User, "change", pk)) for pk in (dora.pk, 999_999))
    told = "is not authorized to perform: iam:GetUser on resource: *"
    assert told in body(hidden) and told in body(missing) and hidden.status_code == missing.status_code == 403


def test_looking_is_recorded_as_a_read(alice_client: Client, world: World):
    dora = User.objects.get(name="dora")
    alice_client.get(place(User))
    alice_client.get(place(User, "change", dora.pk))
    seen = Event.objects.filter(event_name__in=("ListUsers", "GetUser")).order_by("pk")
    assert [(one.event_name, one.resource_arn, one.is_read_only) for one in seen] == [
        ("ListUsers", "*", True),
        ("GetUser", dora.arn, True),
    ]


def test_an_auditor_looks_at_a_user_and_changes_nothing(world: World):
    client = operator("iam:ListUsers", "iam:GetUser")
    dora = User.objects.get(name="dora")
    page = body(client.get(place(User, "change", dora.pk)))
    assert "dora" in page and 'name="_save"' not in page and dora.access_keys.get().access_key_id not in page
    assert denied_action(client.post(place(User, "change", dora.pk), user_form(dora, name="x"))) == "iam:UpdateUser"
    assert denied_action(client.post(place(User, "delete", dora.pk), {"post": "yes"})) == "iam:DeleteUser"
    assert denied_action(client.get(place(User, "add"))) == "iam:CreateUser"
    assert User.objects.filter(name="dora").exists()


def test_what_is_tagged_may_be_hidden_by_its_tag(world: World):
    secret = {"Action": "iam:*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "secret"}}}
    client = operator("iam:*", deny=secret)
    dora = User.objects.get(name="dora")
    key = dora.access_keys.get()
    assert client.get(place(User, "change", dora.pk)).status_code == 200
    assert key.access_key_id in body(client.get(place(AccessKey)))
    User.objects.filter(pk=dora.pk).update(tags={"team": "secret"})
    assert denied_action(client.get(place(User, "change", dora.pk))) == "iam:GetUser"
    assert key.access_key_id not in body(client.get(place(AccessKey)))


def test_rows_of_repositories_that_one_may_not_see_are_not_there(world: World):
    arn = world.names["repository_arn"]
    client = operator("codecommit:*", deny={"Action": "codecommit:Get*", "Resource": arn})
    factories.repository("loud")
    page = body(client.get("/admin/repos/repository/"))
    assert "loud" in page and "hush" not in page
    assert "ring" not in body(client.get("/admin/repos/trigger/"))


@pytest.mark.parametrize(
    ("model", "lookup"),
    [
        (User, "password__startswith"),
        (AccessKey, "encrypted_secret__startswith"),
        (AccessKey, "user__password__startswith"),
        (GitCredential, "password_hash__startswith"),
        (TemporaryCredential, "token_hash__gte"),
        (PolicyVersion, "policy__users__password__startswith"),
        (ConsoleSession, "session_key__startswith"),
        (ConsoleSession, "user__sessions__session_key__startswith"),
        (MfaDevice, "sealed_secret__startswith"),
        (MfaDevice, "user__recovery_codes__code_hash__startswith"),
    ],
)
def test_no_filter_of_an_address_tells_a_secret_letter_by_letter(alice_client: Client, model: type[Any], lookup: str):
    assert alice_client.get(place(model), {lookup: "a"}).status_code == 400


def test_links_between_rows_filter_the_list(alice_client: Client, world: World):
    key = AccessKey.objects.get()
    assert key.access_key_id in body(alice_client.get(place(AccessKey), {"user__id__exact": key.user_id}))
    other = User.objects.get(name="erna")
    assert key.access_key_id not in body(alice_client.get(place(AccessKey), {"user__id__exact": other.pk}))
    assert key.access_key_id in body(alice_client.get(place(AccessKey), {"used": "never"}))
    assert key.access_key_id not in body(alice_client.get(place(AccessKey), {"used": "recently"}))


# ---- forms -----------------------------------------------------------------------------------------------------------


def test_a_user_is_made_by_the_service(alice_client: Client):
    form = {"name": "ursula", "path": "/team/", "email": "ursula@example.org", "_save": ""}
    assert alice_client.post(place(User, "add"), form).status_code == 302
    made = User.objects.get(name="ursula")
    assert (made.path, made.email, made.has_usable_password()) == ("/team/", "ursula@example.org", False)
    event = Event.objects.get(event_name="CreateUser")
    assert (event.resource_arn, event.request_parameters) == (made.arn, {"userName": "ursula", "path": "/team/"})
    assert event.additional_event_data == {"adminPanel": "iam.user"}
    assert LogEntry.objects.get().object_repr == "ursula"


def test_each_change_of_a_form_is_an_act_of_its_own(alice_client: Client, world: World):
    erna = User.objects.get(name="erna")
    ours, team = Policy.objects.get(name="ours"), Group.objects.get(name="team")
    form = user_form(erna, name="erina", policies=[ours.pk], groups=[team.pk], is_active="", email="erina@example.org")
    assert alice_client.post(place(User, "change", erna.pk), form).status_code == 302
    erna.refresh_from_db()
    assert (erna.name, erna.is_active, erna.email) == ("erina", False, "erina@example.org")
    assert list(erna.policies.all()) == [ours] and list(erna.groups.all()) == [team]
    assert [name for name, _ in changes()] == ["UpdateUser", "AttachUserPolicy", "AddUserToGroup", *["UpdateUser"] * 2]
    history = body(alice_client.get(place(User, "history", erna.pk)))
    assert "alice" in history and "Changed Name, Is active, Policies, Groups and Email" in history


def test_a_refused_form_keeps_its_entries_and_changes_nothing(alice_client: Client, world: World):
    dora = User.objects.get(name="dora")
    many = [Policy.objects.create_with_document(DOCUMENT, name=f"p{number}") for number in range(11)]
    form = user_form(dora, name="doris", policies=[one.pk for one in many])
    page = body(alice_client.post(place(User, "change", dora.pk), form))
    assert "Cannot exceed quota for PoliciesPerUser: 10" in page and 'value="doris"' in page
    dora.refresh_from_db()
    assert (dora.name, dora.policies.count()) == ("dora", 0)
    assert {outcome for _, outcome in changes()} == {Outcome.FAILED} and len(changes()) == 12
    renamed = Event.objects.get(event_name="UpdateUser")
    assert renamed.error_code == "LimitExceeded" and renamed.error_message.startswith("Undone, as another change")
    assert not LogEntry.objects.exists()


def test_a_denial_of_one_part_is_told_on_the_form(world: World):
    client = operator("iam:*", deny={"Action": "iam:AttachUserPolicy", "Resource": "*"})
    dora, ours = User.objects.get(name="dora"), Policy.objects.get(name="ours")
    page = body(client.post(place(User, "change", dora.pk), user_form(dora, policies=[ours.pk])))
    assert "iam:AttachUserPolicy" in page and "with an explicit deny" in page
    assert not dora.policies.exists()
    assert changes() == [("AttachUserPolicy", Outcome.DENIED)]


def test_bad_input_is_told_on_the_form(alice_client: Client, world: World):
    page = body(alice_client.post(place(User, "add"), {"name": "not a name", "path": "/", "_save": ""}))
    assert "A user name has 1 to 64 letters" in page and not User.objects.filter(path="/", name="not a name").exists()
    page = body(alice_client.post(place(User, "add"), {"name": "DORA", "path": "/", "_save": ""}))
    assert "already exists" in page or "is violated" in page


def test_a_policy_gets_a_new_version_and_an_older_one_comes_back_by_action(alice_client: Client, world: World):
    ours = Policy.objects.get(name="ours")
    new = DOCUMENT.replace("Deny", "Allow")
    inline = {"versions-TOTAL_FORMS": 0, "versions-INITIAL_FORMS": 0}
    path = place(Policy, "change", ours.pk)
    page = body(alice_client.post(path, {**inline, "document": '{"Version": "2012-10-17"}', "set_as_default": "on"}))
    assert "Statement" in page and "errorlist" in page and ours.versions.count() == 1
    sent = {**inline, "document": new.replace("\n", "\r\n"), "set_as_default": "on"}
    assert alice_client.post(path, sent).status_code == 302
    assert Policy.objects.get(name="ours").document == new
    assert alice_client.post(path, sent).status_code == 302
    assert ours.versions.count() == 2, "what was not edited is no new version"
    first = ours.versions.get(number=1)
    assert "1 policy version made the default." in act_on(alice_client, "make_default", first)
    assert Policy.objects.get(name="ours").document == DOCUMENT
    assert changes() == [("CreatePolicyVersion", "Success"), ("SetDefaultPolicyVersion", "Success")]


def test_policies_of_aws_are_looked_at_only(alice_client: Client):
    aws = Policy.objects.get(name="IAMReadOnlyAccess")
    path = place(Policy, "change", aws.pk)
    assert 'name="_save"' not in body(alice_client.get(path))
    assert alice_client.post(path, {"document": DOCUMENT}).status_code == 403
    told = act_on(alice_client, "delete_selected", aws, post="yes")
    assert "1 policy not deleted" in told and "is managed by AWS" in told and Policy.objects.filter(pk=aws.pk).exists()


def test_an_inline_policy_is_written_and_removed(alice_client: Client, world: World):
    team = Group.objects.get(name="team")
    form = {"name": "mine", "document": DOCUMENT}
    assert "Choose one user, one group or one role" in body(alice_client.post(place(InlinePolicy, "add"), form))
    assert alice_client.post(place(InlinePolicy, "add"), {**form, "group": team.pk}).status_code == 302
    made = InlinePolicy.objects.get(name="mine")
    page = body(alice_client.post(place(InlinePolicy, "change", made.pk), {"document": "{"}))
    assert "errorlist" in page
    assert alice_client.post(place(InlinePolicy, "delete", made.pk), {"post": "yes"}).status_code == 302
    assert not team.inline_policies.exists()
    assert changes() == [("PutGroupPolicy", "Success"), ("PutGroupPolicy", "Failed"), ("DeleteGroupPolicy", "Success")]


def test_what_a_service_refuses_to_delete_stays_and_says_why(alice_client: Client, world: World):
    team = Group.objects.get(name="team")
    User.objects.get(name="dora").groups.add(team)
    page = body(alice_client.post(place(Group, "delete", team.pk), {"post": "yes"}, follow=True))
    assert "remove its members and policies first" in page and Group.objects.filter(pk=team.pk).exists()
    assert changes() == [("DeleteGroup", Outcome.FAILED)] and not LogEntry.objects.exists()


# ---- bulk actions ----------------------------------------------------------------------------------------------------


def test_users_are_locked_out_and_let_in_again_together(alice_client: Client, world: World):
    dora, erna = User.objects.get(name="dora"), User.objects.get(name="erna")
    assert "2 users deactivated." in act_on(alice_client, "deactivate", dora, erna)
    assert not User.objects.filter(name__in=("dora", "erna"), is_active=True).exists()
    assert "2 users activated." in act_on(alice_client, "activate", dora, erna)
    events = Event.objects.filter(event_name="UpdateUser").order_by("pk")
    assert [one.resource_arn for one in events] == [dora.arn, erna.arn] * 2
    assert [one.get_change_message() for one in LogEntry.objects.all()] == ["Activated."] * 2 + ["Deactivated."] * 2


def test_rows_that_are_refused_are_named_and_the_others_are_done(world: World):
    dora, erna = User.objects.get(name="dora"), User.objects.get(name="erna")
    client = operator("iam:*", deny={"Action": "iam:UpdateUser", "Resource": dora.arn})
    told = act_on(client, "deactivate", dora, erna)
    assert "1 user deactivated." in told
    assert "1 user not deactivated. <strong>dora</strong>: User: " in told and "with an explicit deny" in told
    assert list(User.objects.filter(is_active=False)) == [erna]
    assert changes() == [("UpdateUser", Outcome.DENIED), ("UpdateUser", Outcome.SUCCESS)]
    assert LogEntry.objects.get().object_repr == "erna"


def credential(user: User, kind: type[Any]) -> Any:
    if kind is AccessKey:
        return credentials.issue_access_key(user)[0]
    if kind is GitCredential:
        return credentials.issue_git_credential(user)[0]
    return SshPublicKey.objects.create(user=user, body="ssh-ed25519 AAAA", fingerprint=":".join(["ab"] * 16))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (AccessKey, "AccessKey"),
        (GitCredential, "ServiceSpecificCredential"),
        (SshPublicKey, "SSHPublicKey"),
    ],
)
def test_credentials_are_switched_and_removed_together(
    alice_client: Client, bob: User, carol: User, kind: Any, name: str
):
    rows = [credential(bob, kind), credential(carol, kind)]
    for action, status in (("deactivate", "Inactive"), ("activate", "Active")):
        assert f"2 {kind._meta.verbose_name_plural} {action}d." in act_on(alice_client, action, *rows)
        assert set(kind.objects.values_list("status", flat=True)) == {status}
    assert alice_client.post(place(kind, "change", rows[0].pk), {"status": "Inactive"}).status_code == 302
    assert "Are you sure" in act_on(alice_client, "delete_selected", *rows) and kind.objects.count() == 2
    assert f"2 {kind._meta.verbose_name_plural} deleted." in act_on(alice_client, "delete_selected", *rows, post="yes")
    assert not kind.objects.exists()
    assert changes() == [(f"Update{name}", "Success")] * 5 + [(f"Delete{name}", "Success")] * 2
    owners = Event.objects.filter(event_name=f"Delete{name}").order_by("pk").values_list("resource_arn", flat=True)
    assert list(owners) == [bob.arn, carol.arn]


def test_temporary_credentials_are_ended_together(alice_client: Client, bob: User):
    role = Role.objects.get()
    ends = timezone.now() + timedelta(hours=1)
    rows = [TemporaryCredential.objects.create(role=role, session_name="build", expires_at=ends)]
    rows.append(TemporaryCredential.objects.create(user=bob, expires_at=ends))
    page = body(alice_client.get(place(TemporaryCredential), {"state": "current"}))
    assert "build" in page and "End selected temporary credentials" in page
    told = act_on(alice_client, "delete_selected", *rows, post="yes")
    assert "2 temporary credentials deleted." in told and not TemporaryCredential.objects.exists()
    events = Event.objects.filter(event_name="DeleteAccessKey").order_by("pk")
    assert sorted(one.resource_arn for one in events) == sorted([role.arn, bob.arn])


def test_too_many_rows_at_once_are_refused_whole(alice_client: Client, bob: User, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("codeservices.admin.base.MAX_ROWS_AN_ACTION", 1)
    told = act_on(alice_client, "deactivate", bob, User.objects.get(name="alice"))
    assert "Nothing is deactivated: at most 1 are taken at once" in told
    assert not User.objects.filter(is_active=False).exists()


# ---- lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [User, Group, Policy, PolicyVersion, AccessKey, GitCredential, InlinePolicy])
def test_a_longer_list_asks_no_more_queries(alice_client: Client, model: type[Any]):
    def fill(first: int) -> None:
        for number in range(first, first + 5):
            user = factories.user(f"user{number}", document=factories.allow("s3:GetObject"))
            user.groups.add(Group.objects.create(name=f"group{number}"))
            user.inline_policies.create(name="mine", document=DOCUMENT)
            credentials.issue_access_key(user)
            credentials.issue_git_credential(user)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert "user5" in body(alice_client.get(place(model))) or "group5" in body(alice_client.get(place(model)))
        return len(asked)

    fill(5)
    alice_client.get(place(model))
    before = queries()
    fill(20)
    assert queries() == before
    assert before <= 2 * 22


def test_signing_out_of_the_panel_is_recorded(alice_client: Client):
    assert 'action="/sign-out' in body(alice_client.get("/admin/"))
    alice_client.post("/admin/logout/")
    assert Event.objects.filter(event_name="ConsoleLogout", principal_name="alice").exists()
    assert alice_client.get("/admin/").status_code == 302
