"""IAM and STS operations: users, their access keys, git credentials and attached policies; who am I."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from codeservices.aws.dispatch import Call, operation
from codeservices.aws.paging import page
from codeservices.errors import InvalidInput, NotFound, ServiceError
from codeservices.iam import users
from codeservices.iam.models import AccessKey, GitCredential, User

GIT_SERVICE = "codecommit.amazonaws.com"
DEFAULT_PAGE = 100  # IAM API Reference: MaxItems defaults to 100

Row = TypeVar("Row")


@operation("sts", "GetCallerIdentity")
def get_caller_identity(call: Call) -> dict[str, Any]:
    """Needs no permission and can't be denied."""
    principal = call.principal
    return {"UserId": principal.principal_id, "Account": principal.account_id, "Arn": principal.arn}


# ---- users -----------------------------------------------------------------------------------------------------------


@operation("iam", "CreateUser")
def create_user(call: Call) -> dict[str, Any]:
    if call.params.get("PermissionsBoundary"):
        raise InvalidInput("Permissions boundaries are not available on this server.", code="InvalidInput")
    if call.params.get("Tags"):
        raise InvalidInput("Users carry no tags on this server.", code="InvalidInput")
    user = users.create_user(call.principal, call.params["UserName"], path=call.params.get("Path", "/"))
    return {"User": _user(user)}


@operation("iam", "GetUser")
def get_user(call: Call) -> dict[str, Any]:
    return {"User": _user(users.user_for(call.principal, "iam:GetUser", _user_name(call)))}


@operation("iam", "ListUsers")
def list_users(call: Call) -> dict[str, Any]:
    found = users.list_users(call.principal)
    if "PathPrefix" in call.params:
        found = found.filter(path__startswith=call.params["PathPrefix"])
    return _listed(call, "Users", found, lambda user: user.name, _user)


@operation("iam", "DeleteUser")
def delete_user(call: Call) -> None:
    users.delete_user(call.principal, call.params["UserName"])


@operation("iam", "AttachUserPolicy")
def attach_user_policy(call: Call) -> None:
    users.attach_user_policy(call.principal, call.params["UserName"], call.params["PolicyArn"])


@operation("iam", "DetachUserPolicy")
def detach_user_policy(call: Call) -> None:
    users.detach_user_policy(call.principal, call.params["UserName"], call.params["PolicyArn"])


@operation("iam", "ListAttachedUserPolicies")
def list_attached_user_policies(call: Call) -> dict[str, Any]:
    user = users.user_for(call.principal, "iam:ListAttachedUserPolicies", call.params["UserName"])
    found = user.policies.order_by("name", "pk")
    if "PathPrefix" in call.params:
        found = found.filter(path__startswith=call.params["PathPrefix"])
    return _listed(
        call,
        "AttachedPolicies",
        found,
        lambda policy: f"{policy.name} {policy.policy_id}",
        lambda policy: {"PolicyName": policy.name, "PolicyArn": policy.arn},
    )


# ---- access keys -----------------------------------------------------------------------------------------------------


@operation("iam", "CreateAccessKey")
def create_access_key(call: Call) -> dict[str, Any]:
    key, secret = users.create_access_key(call.principal, _user_name(call))
    return {"AccessKey": {**_access_key(key), "SecretAccessKey": secret}}


@operation("iam", "ListAccessKeys")
def list_access_keys(call: Call) -> dict[str, Any]:
    keys = users.list_access_keys(call.principal, _user_name(call)).select_related("user")
    return _listed(call, "AccessKeyMetadata", keys, _by_age, _access_key)


@operation("iam", "UpdateAccessKey")
def update_access_key(call: Call) -> None:
    users.update_access_key(call.principal, _user_name(call), call.params["AccessKeyId"], call.params["Status"])


@operation("iam", "DeleteAccessKey")
def delete_access_key(call: Call) -> None:
    users.delete_access_key(call.principal, _user_name(call), call.params["AccessKeyId"])


# ---- git credentials -------------------------------------------------------------------------------------------------


@operation("iam", "CreateServiceSpecificCredential")
def create_service_specific_credential(call: Call) -> dict[str, Any]:
    _check_git_service(call)
    credential, password = users.create_git_credential(call.principal, call.params["UserName"])
    return {"ServiceSpecificCredential": {**_git_credential(credential), "ServicePassword": password}}


@operation("iam", "ListServiceSpecificCredentials")
def list_service_specific_credentials(call: Call) -> dict[str, Any]:
    _check_git_service(call)
    if call.params.get("AllUsers"):
        raise InvalidInput("Name a user: AllUsers is not available on this server.", code="ValidationError")
    found = users.list_git_credentials(call.principal, _user_name(call)).select_related("user")
    return _listed(call, "ServiceSpecificCredentials", found, _by_age, _git_credential)


@operation("iam", "ResetServiceSpecificCredential")
def reset_service_specific_credential(call: Call) -> dict[str, Any]:
    credential, password = users.reset_git_credential(
        call.principal, _user_name(call), call.params["ServiceSpecificCredentialId"]
    )
    return {"ServiceSpecificCredential": {**_git_credential(credential), "ServicePassword": password}}


@operation("iam", "UpdateServiceSpecificCredential")
def update_service_specific_credential(call: Call) -> None:
    users.update_git_credential(
        call.principal, _user_name(call), call.params["ServiceSpecificCredentialId"], call.params["Status"]
    )


@operation("iam", "DeleteServiceSpecificCredential")
def delete_service_specific_credential(call: Call) -> None:
    users.delete_git_credential(call.principal, _user_name(call), call.params["ServiceSpecificCredentialId"])


# ---- shapes ----------------------------------------------------------------------------------------------------------


def _user_name(call: Call) -> str:
    """The user named, or the caller's own."""
    name: str | None = call.params.get("UserName")
    if name is not None:
        return name
    if call.principal.kind != "user":
        raise ServiceError("Must specify userName when calling with non-User credentials", code="ValidationError")
    return call.principal.name


def _check_git_service(call: Call) -> None:
    service = call.params.get("ServiceName", GIT_SERVICE)
    if service != GIT_SERVICE:
        raise NotFound(
            f"No such service {service} is supported for Service Specific Credentials: it must be {GIT_SERVICE}.",
            code="NotSupportedService",
        )


def _listed(
    call: Call, member: str, rows: Iterable[Row], key: Callable[[Row], str], shape: Callable[[Row], dict[str, Any]]
) -> dict[str, Any]:
    """A page of IAM's lists: Marker in and out, IsTruncated always."""
    shown, marker = page(
        rows,
        key=key,
        kind=member,
        token=call.params.get("Marker"),
        limit=call.params.get("MaxItems", DEFAULT_PAGE),
        refusal=ServiceError("Invalid Marker.", code="ValidationError"),
    )
    return {member: [shape(row) for row in shown], "IsTruncated": marker is not None, "Marker": marker}


def _by_age(credential: AccessKey | GitCredential) -> str:
    return f"{credential.created_at.isoformat()} {credential.pk}"


def _user(user: User) -> dict[str, Any]:
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.user_id,
        "Arn": user.arn,
        "CreateDate": user.created_at,
        "PasswordLastUsed": user.last_login,
    }


def _access_key(key: AccessKey) -> dict[str, Any]:
    return {
        "UserName": key.user.name,
        "AccessKeyId": key.access_key_id,
        "Status": key.status,
        "CreateDate": key.created_at,
    }


def _git_credential(credential: GitCredential) -> dict[str, Any]:
    return {
        "UserName": credential.user.name,
        "Status": credential.status,
        "ServiceUserName": credential.service_user_name,
        "CreateDate": credential.created_at,
        "ServiceSpecificCredentialId": credential.credential_id,
        "ServiceName": GIT_SERVICE,
    }
