"""Access keys."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.iam import user_credentials
from codeservices.iam.aws.lists import by_age, listed, user_name_of
from codeservices.iam.models import AccessKey


@operation("iam", "CreateAccessKey")
def create_access_key(call: Call) -> dict[str, Any]:
    key, secret = user_credentials.create_access_key(call.principal, user_name_of(call))
    return {"AccessKey": {**_access_key(key), "SecretAccessKey": secret}}


@operation("iam", "ListAccessKeys")
def list_access_keys(call: Call) -> dict[str, Any]:
    keys = user_credentials.list_access_keys(call.principal, user_name_of(call)).select_related("user")
    return listed(call, "AccessKeyMetadata", keys, by_age, _access_key)


@operation("iam", "UpdateAccessKey")
def update_access_key(call: Call) -> None:
    user_credentials.update_access_key(
        call.principal, user_name_of(call), call.params["AccessKeyId"], call.params["Status"]
    )


@operation("iam", "DeleteAccessKey")
def delete_access_key(call: Call) -> None:
    user_credentials.delete_access_key(call.principal, user_name_of(call), call.params["AccessKeyId"])


@operation("iam", "GetAccessKeyLastUsed")
def get_access_key_last_used(call: Call) -> dict[str, Any]:
    """When, for which service and in which region; "N/A" before the first time."""
    key = user_credentials.access_key_last_used(call.principal, call.params["AccessKeyId"])
    used = {
        "LastUsedDate": key.last_used_at,
        "ServiceName": key.last_used_service or "N/A",
        "Region": key.last_used_region or "N/A",
    }
    return {"UserName": key.user.name, "AccessKeyLastUsed": used}


def _access_key(key: AccessKey) -> dict[str, Any]:
    return {
        "UserName": key.user.name,
        "AccessKeyId": key.access_key_id,
        "Status": key.status,
        "CreateDate": key.created_at,
    }
