"""Access keys, git credentials and SSH keys of users. Console and API call these same functions.

Secrets are made and checked in `credentials.py`; who may ask for them is decided here.
"""

from __future__ import annotations

from django.db.models import QuerySet

from codeservices.errors import InvalidInput, NotFound
from codeservices.iam import credentials
from codeservices.iam.models import AccessKey, CredentialStatus, GitCredential, SshPublicKey, User
from codeservices.iam.principal import Principal
from codeservices.iam.users import user_for


def create_access_key(principal: Principal, user_name: str) -> tuple[AccessKey, str]:
    """The key and its secret, which is shown only here."""
    return credentials.issue_access_key(user_for(principal, "iam:CreateAccessKey", user_name))


def list_access_keys(principal: Principal, user_name: str) -> QuerySet[AccessKey]:
    return user_for(principal, "iam:ListAccessKeys", user_name).access_keys.all()


def update_access_key(principal: Principal, user_name: str, access_key_id: str, status: str) -> None:
    user = user_for(principal, "iam:UpdateAccessKey", user_name)
    _set_status(_access_key(user, access_key_id), status)


def delete_access_key(principal: Principal, user_name: str, access_key_id: str) -> None:
    _access_key(user_for(principal, "iam:DeleteAccessKey", user_name), access_key_id).delete()


def create_git_credential(principal: Principal, user_name: str) -> tuple[GitCredential, str]:
    """The credential and its password, which is shown only here."""
    return credentials.issue_git_credential(user_for(principal, "iam:CreateServiceSpecificCredential", user_name))


def list_git_credentials(principal: Principal, user_name: str) -> QuerySet[GitCredential]:
    return user_for(principal, "iam:ListServiceSpecificCredentials", user_name).git_credentials.all()


def reset_git_credential(principal: Principal, user_name: str, credential_id: str) -> tuple[GitCredential, str]:
    user = user_for(principal, "iam:ResetServiceSpecificCredential", user_name)
    credential = _git_credential(user, credential_id)
    return credential, credentials.reset_git_credential(credential)


def update_git_credential(principal: Principal, user_name: str, credential_id: str, status: str) -> None:
    user = user_for(principal, "iam:UpdateServiceSpecificCredential", user_name)
    _set_status(_git_credential(user, credential_id), status)


def delete_git_credential(principal: Principal, user_name: str, credential_id: str) -> None:
    user = user_for(principal, "iam:DeleteServiceSpecificCredential", user_name)
    _git_credential(user, credential_id).delete()


def update_ssh_public_key(principal: Principal, user_name: str, key_id: str, status: str) -> None:
    user = user_for(principal, "iam:UpdateSSHPublicKey", user_name)
    _set_status(_ssh_public_key(user, key_id), status)


def delete_ssh_public_key(principal: Principal, user_name: str, key_id: str) -> None:
    _ssh_public_key(user_for(principal, "iam:DeleteSSHPublicKey", user_name), key_id).delete()


def _access_key(user: User, access_key_id: str) -> AccessKey:
    key = user.access_keys.filter(access_key_id=access_key_id).first()
    if key is None:
        raise NotFound(f"The Access Key with id {access_key_id} cannot be found.", code="NoSuchEntity")
    return key


def _git_credential(user: User, credential_id: str) -> GitCredential:
    credential = user.git_credentials.filter(credential_id=credential_id).first()
    if credential is None:
        raise NotFound(f"No such credential {credential_id} exists.", code="NoSuchEntity")
    return credential


def _ssh_public_key(user: User, key_id: str) -> SshPublicKey:
    key = user.ssh_public_keys.filter(key_id=key_id).first()
    if key is None:
        raise NotFound(f"The Public Key with id {key_id} cannot be found.", code="NoSuchEntity")
    return key


def _set_status(credential: AccessKey | GitCredential | SshPublicKey, status: str) -> None:
    if status not in CredentialStatus.values:
        raise InvalidInput(f"Status must be Active or Inactive, not “{status}”.", code="InvalidInput")
    credential.status = status
    credential.save(update_fields=["status"])
