"""SSH public keys."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.iam import ssh_keys
from codeservices.iam.aws.lists import by_age, listed, user_name_of
from codeservices.iam.models import SshPublicKey


@operation("iam", "UploadSSHPublicKey")
def upload_ssh_public_key(call: Call) -> dict[str, Any]:
    key = ssh_keys.upload(call.principal, call.params["UserName"], call.params["SSHPublicKeyBody"])
    return {"SSHPublicKey": {**_metadata(key), "Fingerprint": key.fingerprint, "SSHPublicKeyBody": key.body}}


@operation("iam", "GetSSHPublicKey")
def get_ssh_public_key(call: Call) -> dict[str, Any]:
    key = ssh_keys.ssh_key_for(call.principal, call.params["UserName"], call.params["SSHPublicKeyId"])
    body = ssh_keys.written(key, call.params["Encoding"])
    return {"SSHPublicKey": {**_metadata(key), "Fingerprint": key.fingerprint, "SSHPublicKeyBody": body}}


@operation("iam", "ListSSHPublicKeys")
def list_ssh_public_keys(call: Call) -> dict[str, Any]:
    found = ssh_keys.list_ssh_keys(call.principal, user_name_of(call)).select_related("user")
    return listed(call, "SSHPublicKeys", found, by_age, _metadata)


@operation("iam", "UpdateSSHPublicKey")
def update_ssh_public_key(call: Call) -> None:
    ssh_keys.update(call.principal, call.params["UserName"], call.params["SSHPublicKeyId"], call.params["Status"])


@operation("iam", "DeleteSSHPublicKey")
def delete_ssh_public_key(call: Call) -> None:
    ssh_keys.delete(call.principal, call.params["UserName"], call.params["SSHPublicKeyId"])


def _metadata(key: SshPublicKey) -> dict[str, Any]:
    return {
        "UserName": key.user.name,
        "SSHPublicKeyId": key.key_id,
        "Status": key.status,
        "UploadDate": key.uploaded_at,
    }
