"""SSH public keys of users. Console and API call these same functions."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from codeservices.errors import Conflict, LimitExceeded, NotFound
from codeservices.iam import public_key, rules
from codeservices.iam.models import SshPublicKey
from codeservices.iam.principal import Principal
from codeservices.iam.user_credentials import set_status
from codeservices.iam.users import user_for

# IAM and AWS STS quotas.
MAX_SSH_KEYS = 5


def upload(principal: Principal, user_name: str, body: str) -> SshPublicKey:
    """Keep a public key for a user, active at once.

    Raises:
        InvalidInput: UnrecognizedPublicKeyEncoding or InvalidPublicKey, as `public_key.parse` says.
        Conflict: DuplicateSSHPublicKey: the user has this key already.
        LimitExceeded: The user has MAX_SSH_KEYS already.
    """
    user = user_for(principal, "iam:UploadSSHPublicKey", user_name)
    parsed = public_key.parse(body)
    with transaction.atomic():
        locked = rules.lock(user)
        if locked.ssh_public_keys.filter(fingerprint=parsed.fingerprint).exists():
            raise Conflict(f"User {user.name} has this SSH public key already.", code="DuplicateSSHPublicKey")
        if locked.ssh_public_keys.count() >= MAX_SSH_KEYS:
            raise LimitExceeded(
                f"User {user.name} has {MAX_SSH_KEYS} SSH public keys already; delete one first.", code="LimitExceeded"
            )
        return SshPublicKey.objects.create(user=locked, body=body.strip(), fingerprint=parsed.fingerprint)


def list_ssh_keys(principal: Principal, user_name: str) -> QuerySet[SshPublicKey]:
    """A user's public keys, for whoever may iam:ListSSHPublicKeys."""
    return user_for(principal, "iam:ListSSHPublicKeys", user_name).ssh_public_keys.all()


def ssh_key_for(principal: Principal, user_name: str, key_id: str, action: str = "iam:GetSSHPublicKey") -> SshPublicKey:
    """One key of a user; raises NotFound."""
    user = user_for(principal, action, user_name)
    key = user.ssh_public_keys.select_related("user").filter(key_id=key_id).first()
    if key is None:
        raise NotFound(f"The Public Key with id {key_id} cannot be found.", code="NoSuchEntity")
    return key


def written(key: SshPublicKey, encoding: str) -> str:
    """The key's text in "SSH" or "PEM": as it was uploaded where that is the encoding, or else converted."""
    if public_key.is_pem(key.body) == (encoding == "PEM"):
        return key.body
    parsed = public_key.parse(key.body)
    return parsed.pem if encoding == "PEM" else parsed.ssh


def update(principal: Principal, user_name: str, key_id: str, status: str) -> None:
    """Make a key Active or Inactive."""
    set_status(ssh_key_for(principal, user_name, key_id, "iam:UpdateSSHPublicKey"), status)


def delete(principal: Principal, user_name: str, key_id: str) -> None:
    """Delete a key."""
    ssh_key_for(principal, user_name, key_id, "iam:DeleteSSHPublicKey").delete()
