"""STS operations: who am I, and temporary credentials."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput
from codeservices.iam import credentials, sts
from codeservices.iam.authorize import authorize
from codeservices.iam.aws.lists import tags_of
from codeservices.iam.credentials import IssuedSession
from codeservices.iam.sts import MAX_SESSION_POLICY_CHARACTERS, SessionRequest

# Members that would change what a session is and that nothing here carries out: refused rather than ignored.
_UNSUPPORTED = {
    "SerialNumber": "Codes of a second factor are not taken by STS on this server",
    "TokenCode": "Codes of a second factor are not taken by STS on this server",
    "SourceIdentity": "Sessions carry no source identity on this server",
    "TransitiveTagKeys": "Session tags are not handed on to chained roles on this server",
    "ProvidedContexts": "Sessions take no provided contexts on this server",
}


@operation("sts", "GetCallerIdentity")
def get_caller_identity(call: Call) -> dict[str, Any]:
    """Needs no permission and can't be denied."""
    principal = call.principal
    return {"UserId": principal.principal_id, "Account": principal.account_id, "Arn": principal.arn}


@operation("sts", "AssumeRole")
def assume_role(call: Call) -> dict[str, Any]:
    _check_supported(call)
    wanted = SessionRequest(
        name=call.params["RoleSessionName"],
        seconds=call.params.get("DurationSeconds"),
        policy=call.params.get("Policy", ""),
        policy_arns=[row.get("arn", "") for row in call.params.get("PolicyArns", [])],
        tags=tags_of(call),
        external_id=call.params.get("ExternalId", ""),
    )
    issued = sts.assume_role(call.principal, call.params["RoleArn"], wanted)
    size = len(wanted.policy) + sum(map(len, wanted.policy_arns))
    return {
        "Credentials": _credentials(issued),
        "AssumedRoleUser": {"AssumedRoleId": issued.principal.principal_id, "Arn": issued.principal.arn},
        "PackedPolicySize": -(-100 * size // MAX_SESSION_POLICY_CHARACTERS) if size else None,
    }


@operation("sts", "GetSessionToken")
def get_session_token(call: Call) -> dict[str, Any]:
    _check_supported(call)
    issued = sts.get_session_token(call.principal, call.params.get("DurationSeconds"))
    return {"Credentials": _credentials(issued)}


@operation("sts", "GetAccessKeyInfo")
def get_access_key_info(call: Call) -> dict[str, Any]:
    authorize(call.principal, "sts:GetAccessKeyInfo", "*")
    if credentials.find_access_key(call.params["AccessKeyId"]) is None:
        raise InvalidInput("This account has no such access key.", code="ValidationError")
    return {"Account": settings.ACCOUNT_ID}


def _check_supported(call: Call) -> None:
    for member, sentence in _UNSUPPORTED.items():
        if call.params.get(member):
            raise InvalidInput(f"{sentence}; leave out {member}.", code="ValidationError")


def _credentials(issued: IssuedSession) -> dict[str, Any]:
    return {
        "AccessKeyId": issued.access_key_id,
        "SecretAccessKey": issued.secret,
        "SessionToken": issued.session_token,
        "Expiration": issued.expires_at,
    }
