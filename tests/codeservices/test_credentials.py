from __future__ import annotations

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from django.utils import timezone

from codeservices.errors import AccessDenied, Conflict, InvalidInput, LimitExceeded, NotFound
from codeservices.iam import credentials, passwords, user_credentials, users
from codeservices.iam.models import AccessKey, GitCredential

WHERE = {"path": "/v1/repos/demo", "hosts": ("127.0.0.1", "127.0.0.1:8000")}


def test_a_git_credential_looks_as_iam_makes_it_and_lets_its_user_in(alice):
    credential, password = user_credentials.create_git_credential(alice.principal, "alice")
    assert credential.service_user_name == "alice-at-123456789012"
    assert len(password) == 44
    found = credentials.authenticate_basic(credential.service_user_name, password, **WHERE)
    assert found == alice.principal


def test_the_database_holds_neither_password_nor_secret(alice):
    _, password = user_credentials.create_git_credential(alice.principal, "alice")
    _, secret = user_credentials.create_access_key(alice.principal, "alice")
    assert password not in repr(list(GitCredential.objects.values()))
    assert secret not in repr(list(AccessKey.objects.values()))


@pytest.mark.parametrize("wrong", ["", "x", "á" * 44, "20170901T123456Z" + "0" * 64])
def test_a_wrong_password_lets_nobody_in(alice, wrong):
    credential, _ = user_credentials.create_git_credential(alice.principal, "alice")
    assert credentials.authenticate_basic(credential.service_user_name, wrong, **WHERE) is None
    assert credentials.authenticate_basic("nobody-at-123456789012", wrong, **WHERE) is None
    assert credentials.authenticate_basic("alice\0-at-123456789012", wrong, **WHERE) is None


def test_an_inactive_credential_or_user_is_refused_at_once(alice):
    credential, password = user_credentials.create_git_credential(alice.principal, "alice")
    user_credentials.update_git_credential(alice.principal, "alice", credential.credential_id, "Inactive")
    assert credentials.authenticate_basic(credential.service_user_name, password, **WHERE) is None
    user_credentials.update_git_credential(alice.principal, "alice", credential.credential_id, "Active")
    users.set_active(alice.principal, "alice", False)
    assert credentials.authenticate_basic(credential.service_user_name, password, **WHERE) is None


def test_a_reset_password_replaces_the_old_one(alice):
    credential, old = user_credentials.create_git_credential(alice.principal, "alice")
    _, new = user_credentials.reset_git_credential(alice.principal, "alice", credential.credential_id)
    assert credentials.authenticate_basic(credential.service_user_name, old, **WHERE) is None
    assert credentials.authenticate_basic(credential.service_user_name, new, **WHERE) == alice.principal


def signed_password(secret: str, region: str, host: str = "127.0.0.1:8000", path: str = "/v1/repos/demo") -> str:
    """What a helper of AWS makes: botocore signs a request with the method GIT and a time without its Z."""
    request = AWSRequest(method="GIT", url=f"https://{host}{path}")
    request.context["timestamp"] = timezone.now().strftime("%Y%m%dT%H%M%S")
    signer = SigV4Auth(Credentials("unused", secret), "codecommit", region)
    canonical = f"GIT\n{path}\n\nhost:{host}\n\nhost\n"
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    return f"{request.context['timestamp']}Z{signature}"


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"])
def test_a_signed_password_is_taken_whatever_region_its_client_is_configured_for(alice, region):
    key, secret = user_credentials.create_access_key(alice.principal, "alice")
    found = credentials.authenticate_basic(key.access_key_id, signed_password(secret, region), **WHERE)
    assert found is not None
    assert (found.name, found.access_key_id) == ("alice", key.access_key_id)
    key.refresh_from_db()
    assert (key.last_used_service, key.last_used_region) == ("codecommit", region)
    wrong = signed_password(secret[::-1], region)
    assert credentials.authenticate_basic(key.access_key_id, wrong, **WHERE) is None


def test_a_region_of_somebodys_invention_is_taken_once_the_api_has_seen_it(alice):
    key, secret = user_credentials.create_access_key(alice.principal, "alice")
    password = signed_password(secret, "home-1")
    assert credentials.authenticate_basic(key.access_key_id, password, **WHERE) is None
    credentials.touch_access_key(credentials.find_access_key(key.access_key_id), "codecommit", "home-1")
    assert credentials.authenticate_basic(key.access_key_id, password, **WHERE) is not None


def test_the_second_git_credential_has_a_number_and_the_third_is_refused(alice):
    user_credentials.create_git_credential(alice.principal, "alice")
    second, _ = user_credentials.create_git_credential(alice.principal, "alice")
    assert second.service_user_name == "alice+1-at-123456789012"
    with pytest.raises(LimitExceeded, match="has 2 git credentials already"):
        user_credentials.create_git_credential(alice.principal, "alice")


def test_an_access_key_gives_back_its_secret_to_verify_with(alice):
    key, secret = user_credentials.create_access_key(alice.principal, "alice")
    found = credentials.find_access_key(key.access_key_id)
    assert (found.secret, found.is_active, found.principal.name) == (secret, True, "alice")
    assert found.principal.access_key_id == key.access_key_id
    assert len(secret) == 40


def test_the_third_access_key_is_refused(alice):
    user_credentials.create_access_key(alice.principal, "alice")
    user_credentials.create_access_key(alice.principal, "alice")
    with pytest.raises(LimitExceeded, match="has 2 access keys already"):
        user_credentials.create_access_key(alice.principal, "alice")


def test_an_outsider_may_not_make_keys_not_even_for_a_user_that_is_missing(carol):
    with pytest.raises(AccessDenied):
        user_credentials.create_access_key(carol.principal, "carol")
    with pytest.raises(AccessDenied):
        user_credentials.create_access_key(carol.principal, "ghost")


def test_an_administrator_is_told_that_a_user_is_missing(alice):
    with pytest.raises(NotFound, match="The user with name ghost cannot be found"):
        user_credentials.create_access_key(alice.principal, "ghost")


def test_user_names_are_unique_whatever_the_case(alice):
    with pytest.raises(Conflict, match="User with name ALICE already exists"):
        users.create_user(alice.principal, "ALICE")


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "a/b"])
def test_a_bad_user_name_is_refused_with_the_rule(alice, name):
    with pytest.raises(InvalidInput, match="user name|blank"):
        users.create_user(alice.principal, name)


def test_a_user_with_keys_is_not_deleted(alice):
    users.create_user(alice.principal, "dora")
    user_credentials.create_access_key(alice.principal, "dora")
    with pytest.raises(Conflict, match="remove its access keys first"):
        users.delete_user(alice.principal, "dora")


def test_a_weak_password_is_refused_with_every_rule_it_breaks(alice):
    with pytest.raises(InvalidInput) as caught:
        passwords.set_password(alice.principal, "alice", "password")
    assert "at least 10 characters" in caught.value.message
    assert "too common" in caught.value.message
