"""Git credentials, which IAM calls service-specific credentials."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput, NotFound
from codeservices.iam import user_credentials
from codeservices.iam.aws.lists import by_age, listed, user_name_of
from codeservices.iam.models import GitCredential

GIT_SERVICE = "codecommit.amazonaws.com"


@operation("iam", "CreateServiceSpecificCredential")
def create_service_specific_credential(call: Call) -> dict[str, Any]:
    _check_git_service(call)
    if "CredentialAgeDays" in call.params:
        raise InvalidInput(
            "Git credentials do not expire by themselves: leave CredentialAgeDays out.", code="ValidationError"
        )
    credential, password = user_credentials.create_git_credential(call.principal, call.params["UserName"])
    return {"ServiceSpecificCredential": {**_git_credential(credential), "ServicePassword": password}}


@operation("iam", "ListServiceSpecificCredentials")
def list_service_specific_credentials(call: Call) -> dict[str, Any]:
    _check_git_service(call)
    if not call.params.get("AllUsers"):
        found = user_credentials.list_git_credentials(call.principal, user_name_of(call))
    elif "UserName" in call.params:
        raise InvalidInput("Name a user or ask for AllUsers, not both.", code="ValidationError")
    else:
        found = user_credentials.list_all_git_credentials(call.principal)
    return listed(call, "ServiceSpecificCredentials", found.select_related("user"), by_age, _git_credential)


@operation("iam", "ResetServiceSpecificCredential")
def reset_service_specific_credential(call: Call) -> dict[str, Any]:
    credential, password = user_credentials.reset_git_credential(
        call.principal, user_name_of(call), call.params["ServiceSpecificCredentialId"]
    )
    return {"ServiceSpecificCredential": {**_git_credential(credential), "ServicePassword": password}}


@operation("iam", "UpdateServiceSpecificCredential")
def update_service_specific_credential(call: Call) -> None:
    user_credentials.update_git_credential(
        call.principal, user_name_of(call), call.params["ServiceSpecificCredentialId"], call.params["Status"]
    )


@operation("iam", "DeleteServiceSpecificCredential")
def delete_service_specific_credential(call: Call) -> None:
    user_credentials.delete_git_credential(
        call.principal, user_name_of(call), call.params["ServiceSpecificCredentialId"]
    )


def _check_git_service(call: Call) -> None:
    service = call.params.get("ServiceName", GIT_SERVICE)
    if service != GIT_SERVICE:
        raise NotFound(
            f"No such service {service} is supported for Service Specific Credentials: it must be {GIT_SERVICE}.",
            code="NotSupportedService",
        )


def _git_credential(credential: GitCredential) -> dict[str, Any]:
    return {
        "UserName": credential.user.name,
        "Status": credential.status,
        "ServiceUserName": credential.service_user_name,
        "CreateDate": credential.created_at,
        "ServiceSpecificCredentialId": credential.credential_id,
        "ServiceName": GIT_SERVICE,
    }
