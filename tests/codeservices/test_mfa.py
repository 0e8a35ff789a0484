"""The second factor: enrolment, sign-in, recovery, removal, and IAM's operations."""

from __future__ import annotations

import base64
import re

import boto3
import pytest
from django.test import Client

from codeservices.audit import cloudtrail
from codeservices.audit.models import Event
from codeservices.errors import Conflict, NotFound, ServiceError
from codeservices.iam import credentials, mfa, passwords, secrets, totp, users
from codeservices.iam.models import ConsoleSession, MfaDevice, RecoveryCode, User
from tests import factories
from tests.authenticator import mfa_code
from tests.factories import PASSWORD, SERVICE
from tests.fixtures.people import signed_in

pytestmark = pytest.mark.django_db

ENROL = "/me/credentials/mfa/"
CODE = "/sign-in/code/"


def secret_on(page: str) -> str:
    found = re.search(r"<code>((?:[A-Z2-7]{4} ?){8})</code>", page)
    assert found is not None
    return found[1].replace(" ", "")


def enrolled(user: User) -> tuple[str, list[str]]:
    """A device of the user, whose present codes have not been used, and recovery codes."""
    secret = totp.new_secret()
    codes = mfa.enrol(user.principal, user, secret, mfa_code(secret), mfa_code(secret, steps=1))
    MfaDevice.objects.update(last_used_step=None)
    return secret, codes


def after_password(user: User, **form: str) -> Client:
    client = Client()
    response = client.post("/sign-in/", {"username": user.name, "password": PASSWORD, **form})
    assert response["Location"] == CODE
    return client


def is_in(client: Client) -> bool:
    return client.get("/me/credentials/").status_code == 200


def test_a_resync_brings_no_used_code_back(alice, carol, clock):
    secret, _ = enrolled(carol)
    serial_number = carol.mfa_devices.get().serial_number
    assert mfa.is_right(carol, mfa_code(secret, steps=1))
    mfa.resync_device(alice.principal, carol, serial_number, mfa_code(secret, steps=-1), mfa_code(secret))
    assert not mfa.is_right(carol, mfa_code(secret, steps=1)) and not mfa.is_right(carol, mfa_code(secret))


def test_a_device_is_added_by_picture_and_two_codes_and_recovery_codes_are_shown_once(carol, clock):
    client = signed_in(carol)
    page = client.get(ENROL)
    html = page.content.decode()
    secret = secret_on(html)
    assert 'src="data:image/svg+xml' in html and "no-store" in page["Cache-Control"]
    form = {"first_code": mfa_code(secret), "second_code": mfa_code(secret, steps=1)}
    before = client.session.session_key
    shown = client.post(ENROL, form, follow=True).content.decode()
    device = carol.mfa_devices.get()
    assert (device.name, device.serial_number) == ("carol", "arn:aws:iam::123456789012:mfa/carol")
    assert secret not in device.sealed_secret and secrets.unseal(device.sealed_secret) == secret
    encoded = re.search(r'base64,([^"]+)" download="carol_recovery_codes.csv"', shown)
    codes = base64.b64decode(encoded[1]).decode().split()[2:]
    assert len(codes) == 10 and RecoveryCode.objects.filter(user=carol).count() == 10
    assert not RecoveryCode.objects.filter(code_hash__in=codes).exists()
    assert codes[0] not in client.get("/me/credentials/").content.decode()
    assert client.session.session_key != before
    event = Event.objects.get(action="iam:EnableMFADevice")
    assert (event.principal_name, event.resource_arn) == ("carol", carol.arn)
    kept = str([cloudtrail.record(one) for one in Event.objects.all()])
    assert secret not in kept and codes[0] not in kept


def test_the_secret_waits_in_the_session_sealed(carol):
    client = signed_in(carol)
    secret = secret_on(client.get(ENROL).content.decode())
    assert secret not in str(dict(client.session))


def test_codes_that_are_not_two_in_a_row_add_nothing(carol, clock):
    client = signed_in(carol)
    secret = secret_on(client.get(ENROL).content.decode())
    answer = client.post(ENROL, {"first_code": mfa_code(secret), "second_code": mfa_code(secret)})
    assert answer.status_code == 400 and "not two codes in a row" in answer.content.decode()
    assert secret_on(answer.content.decode()) == secret, "the app need not scan again"
    assert not carol.mfa_devices.exists()


def test_enabling_ends_other_sessions(carol, clock):
    here, there = signed_in(carol), signed_in(carol)
    secret = secret_on(here.get(ENROL).content.decode())
    here.post(ENROL, {"first_code": mfa_code(secret), "second_code": mfa_code(secret, steps=1)})
    assert (is_in(here), is_in(there)) == (True, False)


def test_no_session_before_the_second_factor_and_the_code_opens_one(alice, clock):
    secret, _ = enrolled(alice)
    client = after_password(alice, next="/iam/users/")
    assert not is_in(client)
    assert not ConsoleSession.objects.filter(user=alice).exists()
    before = client.session.session_key
    answer = client.post(CODE, {"code": mfa_code(secret)})
    assert answer["Location"] == "/iam/users/"
    assert is_in(client) and client.session.session_key != before
    session = ConsoleSession.objects.get(user=alice)
    assert session.is_mfa_authenticated
    event = Event.objects.get(event_name="ConsoleLogin")
    assert (event.principal_name, event.additional_event_data["MFAUsed"]) == ("alice", "Yes")


def test_a_code_works_once(alice, clock):
    secret, _ = enrolled(alice)
    code = mfa_code(secret)
    assert after_password(alice).post(CODE, {"code": code}).status_code == 302
    again = after_password(alice)
    answer = again.post(CODE, {"code": code})
    assert answer.status_code == 401 and "used already" in answer.content.decode()
    older = again.post(CODE, {"code": mfa_code(secret, steps=-1)})
    assert older.status_code == 401, "an older code is as good as used"
    clock.advance(seconds=30)
    assert again.post(CODE, {"code": mfa_code(secret)}).status_code == 302


def test_a_right_password_buys_no_new_guesses_at_the_code(alice, clock):
    enrolled(alice)
    answers = []
    for _ in range(6):
        client = Client()
        first = client.post("/sign-in/", {"username": "alice", "password": PASSWORD})
        answers.append(client.post(CODE, {"code": "000000"}).status_code if first.status_code == 302 else 429)
    assert answers == [401] * 5 + [429]


def test_a_right_code_during_a_wait_does_not_get_in(alice, clock):
    secret, _ = enrolled(alice)
    client = after_password(alice)
    for _ in range(5):
        client.post(CODE, {"code": "000000"})
    answer = client.post(CODE, {"code": mfa_code(secret)})
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
    assert not is_in(client)


def test_the_code_page_is_nothing_without_the_password_and_only_for_five_minutes(alice, clock):
    secret, _ = enrolled(alice)
    assert Client().get(CODE)["Location"] == "/sign-in/"
    client = after_password(alice)
    clock.advance(minutes=6)
    assert client.post(CODE, {"code": mfa_code(secret)})["Location"] == "/sign-in/"
    assert not is_in(client)


def test_a_new_password_or_a_lock_out_ends_a_sign_in_that_is_under_way(alice, clock):
    secret, _ = enrolled(alice)
    client = after_password(alice)
    passwords.set_password(SERVICE, "alice", "another long passphrase")
    assert client.post(CODE, {"code": mfa_code(secret)})["Location"] == "/sign-in/"
    passwords.set_password(SERVICE, "alice", PASSWORD)
    client = after_password(alice)
    users.set_active(SERVICE, "alice", False)
    assert client.post(CODE, {"code": mfa_code(secret)})["Location"] == "/sign-in/"


def test_a_recovery_code_works_once_however_it_is_written(alice, clock):
    _, codes = enrolled(alice)
    for typed in (codes[0], codes[1].upper().replace("-", " ")):
        assert after_password(alice).post(CODE, {"code": typed}).status_code == 302
    assert after_password(alice).post(CODE, {"code": codes[0]}).status_code == 401
    assert alice.recovery_codes.count() == 8


def test_a_recovery_code_of_somebody_else_opens_nothing(alice, bob, clock):
    enrolled(alice)
    _, codes = enrolled(bob)
    assert after_password(alice).post(CODE, {"code": codes[0]}).status_code == 401


@pytest.mark.parametrize("code", ["", "x" * 32, "x" * 33, "\u0661\u0662\u0663\u0664\u0665\u0666", "' OR 1=1"])
def test_what_is_no_code_is_refused(alice, clock, code):
    enrolled(alice)
    assert after_password(alice).post(CODE, {"code": code}).status_code == 401


def test_removal_asks_for_password_and_code(alice, clock):
    secret, _ = enrolled(alice)
    client, other = signed_in(alice), signed_in(alice)
    serial_number = alice.mfa_devices.get().serial_number
    form = {"serial_number": serial_number, "mfa_password": PASSWORD, "mfa_code": "000000"}
    told = client.post(f"{ENROL}remove", form, follow=True).content.decode()
    assert "The password or the code is not right." in told and alice.mfa_devices.exists()
    form = {"serial_number": serial_number, "mfa_password": "wrong", "mfa_code": mfa_code(secret)}
    client.post(f"{ENROL}remove", form)
    assert alice.mfa_devices.exists()
    clock.advance(seconds=30)
    form = {"serial_number": serial_number, "mfa_password": PASSWORD, "mfa_code": mfa_code(secret)}
    client.post(f"{ENROL}remove", form)
    assert not alice.mfa_devices.exists() and not alice.recovery_codes.exists()
    assert (is_in(client), is_in(other)) == (True, False)
    assert Event.objects.filter(action="iam:DeactivateMFADevice", outcome="Success").count() == 1
    assert Event.objects.filter(action="iam:DeactivateMFADevice", outcome="Failed").count() == 2


def test_new_recovery_codes_replace_the_old_ones(alice, clock):
    secret, old = enrolled(alice)
    client = signed_in(alice)
    form = {"mfa_password": PASSWORD, "mfa_code": mfa_code(secret)}
    page = client.post(f"{ENROL}recovery-codes", form, follow=True).content.decode()
    assert "Recovery code 10" in page
    assert alice.recovery_codes.count() == 10
    assert after_password(alice).post(CODE, {"code": old[0]}).status_code == 401


def test_an_administrator_removes_a_lost_device_and_that_is_recorded(alice, bob, clock):
    enrolled(bob)
    theirs, admin = signed_in(bob), signed_in(alice)
    serial_number = bob.mfa_devices.get().serial_number
    assert serial_number in admin.get("/iam/users/bob/credentials").content.decode()
    assert admin.post("/iam/users/bob/mfa", {"serial_number": serial_number}).status_code == 302
    assert not bob.mfa_devices.exists() and not is_in(theirs)
    event = Event.objects.get(action="iam:DeactivateMFADevice")
    assert (event.principal_name, event.resource_arn) == ("alice", bob.arn)
    assert admin.post("/iam/users/bob/mfa", {"serial_number": serial_number}).status_code == 404


def test_nobody_without_the_right_removes_a_device_of_somebody_else(alice, carol, clock):
    enrolled(alice)
    serial_number = alice.mfa_devices.get().serial_number
    client = signed_in(carol)
    assert client.post("/iam/users/alice/mfa", {"serial_number": serial_number}).status_code == 403
    form = {"serial_number": serial_number, "mfa_password": PASSWORD, "mfa_code": "000000"}
    assert client.post(f"{ENROL}remove", form).status_code == 404
    assert alice.mfa_devices.exists()


def test_policies_see_whether_a_second_factor_was_given(clock):
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "iam:ListUsers",
                "Resource": "*",
                "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
            }
        ],
    }
    dora = factories.user("dora", document=document)
    without = signed_in(dora)
    assert without.get("/iam/users/").status_code == 403
    secret, _ = enrolled(dora)
    client = after_password(dora)
    client.post(CODE, {"code": mfa_code(secret)})
    assert client.get("/iam/users/").status_code == 200


def test_a_user_with_a_device_is_deleted_after_it(bob, clock):
    enrolled(bob)
    bob.set_unusable_password()
    bob.save()
    bob.policies.clear()
    with pytest.raises(Conflict, match="remove its MFA devices first"):
        users.delete_user(SERVICE, "bob")
    mfa.deactivate_device(SERVICE, bob, bob.mfa_devices.get().serial_number)
    users.delete_user(SERVICE, "bob")


def test_a_ninth_device_is_refused(alice, clock):
    for number in range(mfa.MAX_DEVICES):
        MfaDevice.objects.create(name=f"device-{number}", user=alice, enabled_at=clock.now(), sealed_secret="x")
    with pytest.raises(ServiceError, match="has 8 MFA devices already"):
        enrolled(alice)


@pytest.mark.django_db(transaction=True)
def test_boto3_makes_enables_lists_and_removes_a_device(live_server_url, alice, bob):
    key, key_secret = credentials.issue_access_key(alice)
    client = boto3.client(
        "iam",
        endpoint_url=live_server_url,
        region_name="us-east-1",
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key_secret,
    )
    device = client.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    serial_number, secret = device["SerialNumber"], device["Base32StringSeed"].decode()
    assert serial_number == "arn:aws:iam::123456789012:mfa/phone"
    assert device["QRCodePNG"].startswith(b"\x89PNG")
    with pytest.raises(client.exceptions.EntityAlreadyExistsException):
        client.create_virtual_mfa_device(VirtualMFADeviceName="PHONE")
    named = {"UserName": "bob", "SerialNumber": serial_number}
    codes = {"AuthenticationCode1": mfa_code(secret), "AuthenticationCode2": mfa_code(secret, steps=1)}
    with pytest.raises(client.exceptions.InvalidAuthenticationCodeException):
        client.enable_mfa_device(**named, AuthenticationCode1="000000", AuthenticationCode2="000000")
    assert client.list_mfa_devices(UserName="bob")["MFADevices"] == []
    client.enable_mfa_device(**named, **codes)
    [listed] = client.list_mfa_devices(UserName="bob")["MFADevices"]
    assert (listed["UserName"], listed["SerialNumber"]) == ("bob", serial_number)
    [virtual] = client.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert virtual["User"]["UserName"] == "bob"
    client.resync_mfa_device(**named, **codes)
    with pytest.raises(client.exceptions.DeleteConflictException):
        client.delete_virtual_mfa_device(SerialNumber=serial_number)
    client.deactivate_mfa_device(**named)
    [virtual] = client.list_virtual_mfa_devices(AssignmentStatus="Unassigned")["VirtualMFADevices"]
    assert "User" not in virtual
    client.delete_virtual_mfa_device(SerialNumber=serial_number)
    with pytest.raises(client.exceptions.NoSuchEntityException):
        client.deactivate_mfa_device(**named)
    assert not [one for one in Event.objects.all() if secret in str(cloudtrail.record(one))]


def test_a_device_that_is_nobodys_is_not_taken_from_anybody(alice):
    mfa.create_device(SERVICE, "phone")
    with pytest.raises(NotFound):
        mfa.deactivate_device(SERVICE, alice, "arn:aws:iam::123456789012:mfa/phone")
