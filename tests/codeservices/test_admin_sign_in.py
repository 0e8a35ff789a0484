"""Roles and what signing in rests on, in the admin panel: by services and matching actions, without secrets."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from codeservices.audit.models import Event
from codeservices.iam import oidc, throttle
from codeservices.iam.models import (
    AccountPasswordPolicy,
    ConsoleSession,
    FederatedIdentity,
    MfaDevice,
    PreviousPassword,
    RecoveryCode,
    Role,
    SignInCounter,
    User,
)
from tests import factories
from tests.codeservices.behind_doors import TRUST, body, denied_action
from tests.codeservices.panel import act_on, changes, operator, place
from tests.codeservices.worlds import World
from tests.fixtures.people import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

ISSUER = "https://login.example.org"


def is_in(client: Client) -> bool:
    return client.get("/me/credentials/").status_code == 200


# ---- roles -----------------------------------------------------------------------------------------------------------


def role_form(role: Role, **changed: Any) -> dict[str, Any]:
    """The change form of a role as a browser would send it."""
    return {
        "description": role.description,
        "max_session_seconds": role.max_session_seconds,
        "trust_policy": role.trust_policy,
        "policies": [one.pk for one in role.policies.all()],
        "inline_policies-TOTAL_FORMS": 0,
        "inline_policies-INITIAL_FORMS": 0,
        **changed,
    }


def test_a_role_is_made_changed_and_removed_by_the_services(alice_client: Client, world: World):
    new = {"name": "deploy", "path": "/ci/", "max_session_seconds": 7200, "trust_policy": TRUST}
    assert "codebuild.amazonaws.com" in body(alice_client.get(place(Role, "add"))), "it starts from a trust policy"
    assert alice_client.post(place(Role, "add"), new).status_code == 302
    made = Role.objects.get(name="deploy")
    assert (made.path, made.max_session_seconds, made.trust_policy) == ("/ci/", 7200, TRUST)
    trust = TRUST.replace("root", "user/dora")
    form = role_form(made, description="Rolls out", max_session_seconds=3600, trust_policy=trust)
    assert alice_client.post(place(Role, "change", made.pk), form).status_code == 302
    made.refresh_from_db()
    assert (made.description, made.max_session_seconds, made.trust_policy) == ("Rolls out", 3600, trust)
    watch = Role.objects.get(name="watch")
    assert "1" in body(alice_client.get(place(Role, "delete", watch.pk)))
    assert "2 roles deleted." in act_on(alice_client, "delete_selected", made, watch, post="yes")
    assert not Role.objects.filter(name__in=("deploy", "watch")).exists()
    assert [name for name, _ in changes()] == [
        "CreateRole",
        "UpdateRole",
        "UpdateAssumeRolePolicy",
        "DeleteRole",
        "DeleteRole",
    ]
    assert Event.objects.get(event_name="CreateRole").request_parameters["roleName"] == "deploy"


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("trust_policy", '{"Version": "2012-10-17"}', "Statement"),
        ("trust_policy", "[" * 9, "JSON"),
        ("max_session_seconds", 60, "last at most between 3600 and 43200 seconds"),
    ],
)
def test_a_role_that_cannot_be_is_told_beside_the_entry(
    alice_client: Client, world: World, field: str, value: Any, sentence: str
):
    role = Role.objects.get(name="idle")
    page = body(alice_client.post(place(Role, "change", role.pk), role_form(role, **{field: value})))
    assert sentence in page and f'id="id_{field}_error"' in page
    assert changes() == []


def test_each_part_of_a_role_is_open_to_those_who_may_change_it(world: World):
    client = operator("iam:ListRoles", "iam:GetRole", "iam:UpdateRoleDescription")
    role = Role.objects.get(name="idle")
    page = body(client.get(place(Role, "change", role.pk)))
    assert 'name="description"' in page
    assert 'name="trust_policy"' not in page and 'name="max_session_seconds"' not in page and "sts:AssumeRole" in page
    form = role_form(role, description="Rests", max_session_seconds=7200, trust_policy="{}")
    assert client.post(place(Role, "change", role.pk), form).status_code == 302
    role.refresh_from_db()
    assert (role.description, role.max_session_seconds, role.trust_policy) == ("Rests", 3600, TRUST)
    assert changes() == [("UpdateRoleDescription", "Success")]
    assert denied_action(client.get(place(Role, "add"))) == "iam:CreateRole"
    assert denied_action(client.post(place(Role, "delete", role.pk), {"post": "yes"})) == "iam:DeleteRole"


# ---- sessions --------------------------------------------------------------------------------------------------------


def test_sessions_are_ended_one_by_one_and_together(alice_client: Client, bob: User, carol: User):
    one, other, third = signed_in(bob), signed_in(bob), signed_in(carol)
    first = ConsoleSession.objects.get(session_key=one.session.session_key)
    assert alice_client.post(place(ConsoleSession, "delete", first.pk), {"post": "yes"}).status_code == 302
    assert (is_in(one), is_in(other), is_in(third)) == (False, True, True)
    rest = ConsoleSession.objects.filter(user__in=(bob, carol))
    assert "2 console sessions deleted." in act_on(alice_client, "delete_selected", *rest, post="yes")
    assert not is_in(other) and not is_in(third) and is_in(alice_client)
    events = Event.objects.filter(event_name="UpdateLoginProfile").order_by("pk")
    assert sorted(one.resource_arn for one in events) == sorted([bob.arn, bob.arn, carol.arn])
    assert events[0].request_parameters == {"userName": "bob", "sessionId": str(first.pk)}


def test_whoever_ends_the_session_they_are_in_is_asked_to_sign_in(alice: User):
    client = signed_in(alice)
    own = ConsoleSession.objects.get(user=alice)
    answer = client.post(place(ConsoleSession, "delete", own.pk), {"post": "yes"}, follow=True)
    assert answer.status_code == 200 and "Sign in" in body(answer)
    assert not ConsoleSession.objects.filter(user=alice).exists()


def test_no_page_shows_what_a_session_is_resumed_by(alice_client: Client, bob: User):
    signed_in(bob)
    rows = list(ConsoleSession.objects.all())
    pages = [place(ConsoleSession), f"{place(ConsoleSession)}?q=bob", place(User, "change", bob.pk)]
    pages += [place(ConsoleSession, page, row.pk) for row in rows for page in ("change", "delete", "history")]
    for path in pages:
        page = body(alice_client.get(path))
        assert "bob" in page or "alice" in page
        assert not [row for row in rows if row.session_key in page or row.session_data in page], path
    chosen = {"action": "delete_selected", "_selected_action": [row.pk for row in rows]}
    page = body(alice_client.post(place(ConsoleSession), chosen))
    assert "Are you sure" in page and not [row for row in rows if row.session_key in page]


def test_sessions_of_those_whom_one_may_not_look_at_are_not_there(bob: User, carol: User):
    deny = {"Action": "iam:*", "Resource": carol.arn}
    client = operator("iam:*", deny=deny)
    signed_in(bob), signed_in(carol)
    Client().get("/sign-in/")
    page = body(client.get(place(ConsoleSession)))
    assert "bob" in page and "carol" not in page and "nobody" not in page
    hidden = ConsoleSession.objects.get(user=carol)
    assert client.post(place(ConsoleSession, "delete", hidden.pk), {"post": "yes"}).status_code in (302, 403)
    act_on(client, "delete_selected", hidden, post="yes")
    assert ConsoleSession.objects.filter(user=carol).exists()


def test_a_user_who_is_locked_out_in_the_panel_is_signed_out_everywhere(alice_client: Client, bob: User, carol: User):
    here, there = signed_in(bob), signed_in(carol)
    form = {"name": "bob", "path": "/", "policies": [one.pk for one in bob.policies.all()]}
    for prefix in ("access_keys", "git_credentials", "ssh_public_keys", "mfa_devices", "inline_policies"):
        form |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    assert alice_client.post(place(User, "change", bob.pk), form).status_code == 302
    act_on(alice_client, "deactivate", carol)
    assert not ConsoleSession.objects.filter(user__in=(bob, carol)).exists()
    assert not is_in(here) and not is_in(there)


# ---- second factors and outside identities ---------------------------------------------------------------------------


def test_a_device_is_taken_from_its_user_and_one_of_nobody_is_deleted(alice_client: Client, world: World):
    dora = User.objects.get(name="dora")
    RecoveryCode.objects.create(user=dora, code_hash="a" * 64)
    session = signed_in(dora)
    used, free = MfaDevice.objects.get(name="dora"), MfaDevice.objects.get(name="free")
    for path in (place(MfaDevice), place(MfaDevice, "change", used.pk), place(User, "change", dora.pk)):
        assert used.sealed_secret not in body(alice_client.get(path))
    assert "2 MFA devices deleted." in act_on(alice_client, "delete_selected", used, free, post="yes")
    assert not MfaDevice.objects.exists() and not dora.recovery_codes.exists() and not is_in(session)
    events = Event.objects.filter(event_name__endswith="MFADevice").values_list("event_name", "resource_arn")
    assert sorted(events) == [
        ("DeactivateMFADevice", dora.arn),
        ("DeleteVirtualMFADevice", free.serial_number),
    ]


def test_a_device_stays_where_the_right_is_missing(world: World):
    client = operator("iam:List*", "iam:DeleteVirtualMFADevice")
    used, free = MfaDevice.objects.get(name="dora"), MfaDevice.objects.get(name="free")
    assert denied_action(client.post(place(MfaDevice, "delete", used.pk), {"post": "yes"})) == "iam:DeactivateMFADevice"
    assert client.post(place(MfaDevice, "delete", free.pk), {"post": "yes"}).status_code == 302
    assert list(MfaDevice.objects.all()) == [used]


def test_an_outside_identity_is_unlinked_and_its_sessions_end(alice_client: Client, bob: User):
    oidc.bind(bob, ISSUER, "42")
    session = signed_in(bob)
    row = FederatedIdentity.objects.get()
    assert "42" in body(alice_client.get(place(FederatedIdentity)))
    assert alice_client.post(place(FederatedIdentity, "delete", row.pk), {"post": "yes"}).status_code == 302
    assert not FederatedIdentity.objects.exists() and not is_in(session)
    event = Event.objects.get(event_name="UnlinkFederatedIdentity")
    assert (event.action, event.resource_arn) == ("iam:UpdateLoginProfile", bob.arn)
    assert event.request_parameters == {"userName": "bob", "issuer": ISSUER, "subject": "42"}


def test_nothing_of_recovery_codes_and_former_passwords_is_in_the_panel():
    assert not {RecoveryCode, PreviousPassword} & admin.site._registry.keys()


# ---- locks -----------------------------------------------------------------------------------------------------------


def test_locks_are_found_by_name_and_address_and_lifted(alice_client: Client, bob: User):
    for name, address in (("bob", "192.0.2.1"), ("my password", "192.0.2.2")):
        for _ in range(throttle.LIMITS[throttle.NAME]):
            throttle.begin(name, address)
    page = body(alice_client.get(place(SignInCounter), {"state": "locked"}))
    assert ">bob</a>" in page and "a name that is nobody’s" in page
    found = body(alice_client.get(place(SignInCounter), {"q": "BOB"}))
    assert "1 sign in counter" in found
    assert "1 sign in counter" in body(alice_client.get(place(SignInCounter), {"q": "192.0.2.2"}))
    rows = SignInCounter.objects.all()
    act_on(alice_client, "delete_selected", *rows, post="yes")
    assert throttle.lock_of(bob) is None and not SignInCounter.objects.exists()
    told = [one.request_parameters for one in Event.objects.filter(event_name="LiftSignInLock")]
    assert {"userName": "bob", "sourceIPAddress": None} in told and len(told) == 4
    assert {"userName": None, "sourceIPAddress": "192.0.2.2"} in told
    assert Event.objects.filter(event_name="LiftSignInLock", resource_arn=bob.arn).count() == 1


def test_a_lock_stays_hidden_and_stays_where_the_right_is_missing(bob: User, carol: User):
    for user in (bob, carol):
        throttle.begin(user.name, "192.0.2.1")
    client = operator("iam:*", deny={"Action": "iam:GetLoginProfile", "Resource": carol.arn})
    page = body(client.get(place(SignInCounter)))
    assert ">bob</a>" in page and "carol" not in page and "nobody’s" not in page
    User.objects.get(name="oscar").policies.clear()
    client = signed_in(factories.user("otto", document=factories.allow("codeservices:UseAdminPanel", "iam:Get*")))
    row = SignInCounter.objects.get(subject=throttle.subject_of("bob"))
    answer = client.post(place(SignInCounter, "delete", row.pk), {"post": "yes"})
    assert denied_action(answer) == "iam:UpdateLoginProfile" and SignInCounter.objects.filter(pk=row.pk).exists()


# ---- the password policy ---------------------------------------------------------------------------------------------


def test_the_password_policy_is_set_changed_and_removed(alice_client: Client):
    form = {"minimum_length": 12, "require_numbers": "on"}
    assert alice_client.post(place(AccountPasswordPolicy, "add"), form).status_code == 302
    assert alice_client.get(place(AccountPasswordPolicy, "add")).status_code == 403, "there is one already"
    path = place(AccountPasswordPolicy, "change", 1)
    assert alice_client.post(path, {**form, "minimum_length": 5}).status_code == 200
    assert alice_client.post(path, {"minimum_length": 14, "max_age_days": 90}).status_code == 302
    policy = AccountPasswordPolicy.objects.get()
    assert (policy.minimum_length, policy.require_numbers, policy.max_age_days) == (14, False, 90)
    assert alice_client.post(place(AccountPasswordPolicy, "delete", 1), {"post": "yes"}).status_code == 302
    assert not AccountPasswordPolicy.objects.exists()
    assert changes() == [
        ("UpdateAccountPasswordPolicy", "Success"),
        ("UpdateAccountPasswordPolicy", "Success"),
        ("DeleteAccountPasswordPolicy", "Success"),
    ]


def test_whoever_may_only_read_the_password_policy_changes_nothing(world: World):
    client = operator("iam:GetAccountPasswordPolicy")
    path = place(AccountPasswordPolicy, "change", 1)
    assert 'name="_save"' not in body(client.get(path))
    assert denied_action(client.post(path, {"minimum_length": 20})) == "iam:UpdateAccountPasswordPolicy"
    assert AccountPasswordPolicy.objects.get().minimum_length == 6


# ---- lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Role, ConsoleSession, MfaDevice, FederatedIdentity, SignInCounter])
def test_a_longer_list_asks_no_more_queries(alice_client: Client, model: type[Any]):
    def fill(first: int) -> None:
        for number in range(first, first + 5):
            user = factories.user(f"user{number}")
            signed_in(user)
            MfaDevice.objects.create(name=user.name, user=user, enabled_at=user.created_at, sealed_secret="x")
            oidc.bind(user, ISSUER, str(number))
            throttle.begin(user.name, f"192.0.2.{number}")
            Role.objects.create(name=user.name, trust_policy=TRUST)

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert "user5" in body(alice_client.get(place(model)))
        return len(asked)

    fill(5)
    alice_client.get(place(model))
    before = queries()
    fill(20)
    assert queries() == before <= 2 * 22
