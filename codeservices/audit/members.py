"""An act as the members of its event: CloudTrail's shapes, cut to the columns, free of what no database keeps.

Source: AWS CloudTrail User Guide, "CloudTrail record contents", "CloudTrail userIdentity element" and "AWS Management
Console sign-in events".
"""

from __future__ import annotations

import math
import uuid
from datetime import datetime
from typing import Any

from django.conf import settings

from codeservices.audit.acts import Act
from codeservices.iam import arn

SIGN_IN = "AwsConsoleSignIn"
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
# The version of each service's API, as botocore's models have it.
API_VERSIONS = {
    "cloudtrail": "2013-11-01",
    "codebuild": "2016-10-06",
    "codecommit": "2015-04-13",
    "iam": "2010-05-08",
    "logs": "2014-03-28",
    "secretsmanager": "2017-10-17",
    "sns": "2010-03-31",
    "ssm": "2014-11-06",
    "sts": "2011-06-15",
}
_LIMITS = {
    "event_source": 128,
    "event_name": 128,
    "event_type": 32,
    "principal_arn": 600,
    "principal_id": 300,
    "principal_name": 128,
    "access_key_id": 128,
    "source_ip": 64,
    "user_agent": 512,
    "request_id": 64,
    "action": 128,
    "resource_arn": 600,
    "resource_name": 256,
    "error_code": 128,
    "error_message": 4000,
}
_RESOURCE_TYPES = {
    ("codecommit", ""): "AWS::CodeCommit::Repository",
    ("codebuild", "project"): "AWS::CodeBuild::Project",
    ("codebuild", "build"): "AWS::CodeBuild::Build",
    ("cloudtrail", "trail"): "AWS::CloudTrail::Trail",
    ("iam", "user"): "AWS::IAM::User",
    ("iam", "group"): "AWS::IAM::Group",
    ("iam", "role"): "AWS::IAM::Role",
    ("iam", "policy"): "AWS::IAM::Policy",
    ("iam", "mfa"): "AWS::IAM::MFADevice",
    ("s3", ""): "AWS::S3::Object",
    ("secretsmanager", ""): "AWS::SecretsManager::Secret",
    ("sns", ""): "AWS::SNS::Topic",
    ("ssm", "parameter"): "AWS::SSM::Parameter",
}


def of_act(act: Act, *, event_id: uuid.UUID, at: datetime) -> dict[str, Any]:
    """Every member of the act's event but its place in the chain, as JSON values."""
    service, _, operation = act.action.partition(":")
    name = act.event_name or operation
    source = act.event_source or f"{service or 'codeservices'}.amazonaws.com"
    is_sign_in = act.event_type == SIGN_IN
    outcome = "Denied" if act.is_denied else "Failed" if act.error_code else "Success"
    principal = act.principal
    resource_type, resource_name = resource_of(act.resource)
    # A build's own acts and those of git are no calls of the API.
    version = "" if is_sign_in or act.info.via == "git" else API_VERSIONS.get(source.partition(".")[0], "")
    members: dict[str, Any] = {
        "event_id": str(event_id),
        "event_time": at.isoformat(timespec="microseconds"),
        "event_source": source,
        "event_name": name,
        "event_type": act.event_type,
        "api_version": version,
        "is_read_only": act.reads_only,
        "is_notable": not act.reads_only or outcome == "Denied" or outcome == "Failed",
        "principal_kind": principal.kind,
        "principal_arn": principal.arn,
        "principal_id": principal.principal_id,
        "principal_name": principal.name,
        "access_key_id": principal.access_key_id,
        "user_identity": identity(act),
        "aws_region": settings.REGION,
        "source_ip": act.info.source_ip,
        "user_agent": act.info.user_agent,
        "via": act.info.via,
        "request_id": act.info.request_id,
        "action": act.action,
        "resource_arn": act.resource,
        "resource_type": resource_type,
        "resource_name": resource_name,
        "outcome": outcome,
        "error_code": act.error_code,
        "error_message": act.error_message,
        "request_parameters": act.parameters or None,
        "response_elements": None if act.error_code or act.reads_only else (act.response or None),
        "additional_event_data": act.additional or None,
    }
    if is_sign_in:
        members |= _sign_in(act)
    return {key: _cut(clean(value), _LIMITS.get(key)) for key, value in members.items()}


def identity(act: Act) -> dict[str, Any]:
    """The userIdentity element: who it was, in the form of its type."""
    principal = act.principal
    started_at: datetime | None = principal.session_started_at
    attributes = {"mfaAuthenticated": "true" if principal.is_mfa_authenticated else "false"}
    if started_at is not None:
        attributes = {"creationDate": started_at.strftime("%Y-%m-%dT%H:%M:%SZ"), **attributes}
    if principal.kind == "service" and principal.arn.endswith(":root"):
        account_id = principal.account_id
        return {"type": "Root", "principalId": account_id, "arn": principal.arn, "accountId": account_id}
    if principal.kind == "service":
        return {"type": "AWSService", "invokedBy": principal.arn}
    if principal.kind == "anonymous":
        told = {"type": "Unknown", "accountId": principal.account_id, "accessKeyId": principal.access_key_id}
        return {key: value for key, value in told.items() if value}
    body = {
        "type": "AssumedRole" if principal.kind == "role" else "IAMUser",
        "principalId": principal.principal_id,
        "arn": principal.arn,
        "accountId": principal.account_id,
    }
    if principal.access_key_id:
        body["accessKeyId"] = principal.access_key_id
    if principal.kind == "user":
        body["userName"] = principal.name
        return {**body, "sessionContext": {"attributes": attributes}} if started_at is not None else body
    issuer = {
        "type": "Role",
        "principalId": principal.principal_id.partition(":")[0],
        "arn": principal.role_arn or arn.role_arn(principal.account_id, "/", principal.name),
        "accountId": principal.account_id,
        "userName": principal.name,
    }
    return {**body, "sessionContext": {"sessionIssuer": issuer, "attributes": attributes}}


def resource_of(resource_arn: str) -> tuple[str, str]:
    """(CloudFormation's type, the name that people call it by) of an ARN; both empty for "*" and for patterns."""
    if not arn.is_arn(resource_arn) or "*" in resource_arn:
        return "", ""
    _, _, service, _, _, resource = resource_arn.split(":", 5)
    kind, slash, rest = resource.partition("/")
    if (service, kind) in _RESOURCE_TYPES and slash:
        name = rest.rpartition("/")[2] if service == "iam" else rest
        return _RESOURCE_TYPES[service, kind], name
    if service == "secretsmanager":
        resource = resource.removeprefix("secret:")[: -len("-AbC123")]
    return _RESOURCE_TYPES.get((service, ""), ""), resource


def clean(value: Any) -> Any:
    """The value as JSON that SQLite and PostgreSQL both keep: no NUL, no half of a surrogate pair, no NaN."""
    if isinstance(value, str):
        if value.isascii():
            return value.replace("\0", "\ufffd") if "\0" in value else value
        return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\ufffd")
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {clean(str(key)): clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(one) for one in value]
    return clean(str(value))


def _sign_in(act: Act) -> dict[str, Any]:
    """What is particular to ConsoleLogin: a failure has an answer too, and who failed is part of the identity."""
    is_failure = bool(act.error_code)
    who = dict(identity(act))
    who.pop("accessKeyId", None)
    if is_failure:
        name = str(act.parameters.get("userName", HIDDEN))
        who = {"type": "IAMUser", "accountId": settings.ACCOUNT_ID, "accessKeyId": "", "userName": name}
    used_mfa = act.additional.get("MFAUsed") or ("Yes" if act.principal.is_mfa_authenticated else "No")
    told: dict[str, Any] = {
        "user_identity": who,
        "request_parameters": None,
        "response_elements": {"ConsoleLogin": "Failure" if is_failure else "Success"},
        "additional_event_data": {"MobileVersion": "No", "MFAUsed": used_mfa, **act.additional},
    }
    if is_failure:
        told["error_message"] = "Failed authentication"
        if who["userName"] != HIDDEN:
            told["principal_name"] = who["userName"]
    return told


def _cut(value: Any, limit: int | None) -> Any:
    return value[:limit] if limit is not None and isinstance(value, str) else value
