"""Access keys and git credentials of users. Console and API call these same functions.

Secrets are made and checked in `credentials.py`; who may ask for them is decided here.
"""

from __future__ import annotations

from django.db.models import QuerySet

from codeservices.errors import InvalidInput, NotFound
from codeservices.iam import credentials, rules
from codeservices.iam.authorize import authorize
from codeservices.iam.models import AccessKey, CredentialStatus, GitCredential, SshPublicKey, User
from codeservices.iam.principal import Principal
from codeservices.iam.users import user_for


def create_access_key(principal: Principal, user_name: str) -> tuple[AccessKey, str]:
    """The key and its secret, which is shown only here."""
    return credentials.issue_access_key(user_for(principal, "iam:CreateAccessKey", user_name))


def list_access_keys(principal: Principal, user_name: str) -> QuerySet[AccessKey]:
    """A user's access keys, for whoever may iam:ListAccessKeys; their secrets are not in them."""
    return user_for(principal, "iam:ListAccessKeys", user_name).access_keys.all()


def update_access_key(principal: Principal, user_name: str, access_key_id: str, status: str) -> None:
    """Make an access key Active or Inactive."""
    user = user_for(principal, "iam:UpdateAccessKey", user_name)
    set_status(_access_key(user, access_key_id), status)


def delete_access_key(principal: Principal, user_name: str, access_key_id: str) -> None:
    """Delete an access key."""
    _access_key(user_for(principal, "iam:DeleteAccessKey", user_name), access_key_id).delete()


def access_key_last_used(principal: Principal, access_key_id: str) -> AccessKey:
    """A key with its user, whoever's it is; raises NotFound, but only to those who may ask about every user."""
    key = AccessKey.objects.select_related("user").filter(access_key_id=access_key_id).first()
    rules.authorize_row(principal, "iam:GetAccessKeyLastUsed", key.user if key else None, "*")
    if key is None:
        raise NotFound(f"The Access Key with id {access_key_id} cannot be found.", code="NoSuchEntity")
    return key


def create_git_credential(principal: Principal, user_name: str) -> tuple[GitCredential, str]:
    """The credential and its password, which is shown only here."""
    return credentials.issue_git_credential(user_for(principal, "iam:CreateServiceSpecificCredential", user_name))


def list_git_credentials(principal: Principal, user_name: str) -> QuerySet[GitCredential]:
    """A user's git credentials, for whoever may iam:ListServiceSpecificCredentials."""
    return user_for(principal, "iam:ListServiceSpecificCredentials", user_name).git_credentials.all()


def list_all_git_credentials(principal: Principal) -> QuerySet[GitCredential]:
    """Those of every user."""
    authorize(principal, "iam:ListServiceSpecificCredentials", "*")
    return GitCredential.objects.all()


def reset_git_credential(principal: Principal, user_name: str, credential_id: str) -> tuple[GitCredential, str]:
    """The credential and its new password, which is told this once."""
    user = user_for(principal, "iam:ResetServiceSpecificCredential", user_name)
    credential = _git_credential(user, credential_id)
    return credential, credentials.reset_git_credential(credential)


def update_git_credential(principal: Principal, user_name: str, credential_id: str, status: str) -> None:
    """Make a git credential Active or Inactive."""
    user = user_for(principal, "iam:UpdateServiceSpecificCredential", user_name)
    set_status(_git_credential(user, credential_id), status)


def delete_git_credential(principal: Principal, user_name: str, credential_id: str) -> None:
    """Delete a git credential."""
    user = user_for(principal, "iam:DeleteServiceSpecificCredential", user_name)
    _git_credential(user, credential_id).delete()


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


def set_status(credential: AccessKey | GitCredential | SshPublicKey, status: str) -> None:
    """Switch a credential on or off; works at once."""
    if status not in CredentialStatus.values:
        raise InvalidInput(f"Status must be Active or Inactive, not “{status}”.", code="InvalidInput")
    credential.status = status
    credential.save(update_fields=["status"])
