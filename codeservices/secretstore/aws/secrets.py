"""The operations of Secrets Manager."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from codeservices.aws.dispatch import Call, operation
from codeservices.aws.paging import page
from codeservices.errors import InvalidInput
from codeservices.secretstore import tags as tagging
from codeservices.secretstore.models import Secret, SecretVersion
from codeservices.secretstore.secrets_manager import deletion, reading, writing
from codeservices.secretstore.secrets_manager.access import invalid_parameter, secret_for
from codeservices.secretstore.secrets_manager.random_password import DEFAULT_LENGTH, random_password
from codeservices.secretstore.secrets_manager.versions import Content

PAGE = 100

Row = TypeVar("Row")


@operation("secretsmanager", "CreateSecret")
def create_secret(call: Call) -> dict[str, Any]:
    given = call.params
    _refuse(call, "AddReplicaRegions", "CrossAccountPrimaryARN", "Type")
    writing.check_key(given.get("KmsKeyId"))
    secret, version = writing.create_secret(
        call.principal,
        given["Name"],
        _content(call),
        version_id=given.get("ClientRequestToken"),
        description=given.get("Description", ""),
        tags=_tags(call),
    )
    return {**_named(secret), "VersionId": version.version_id if version else None}


@operation("secretsmanager", "GetSecretValue")
def get_secret_value(call: Call) -> dict[str, Any]:
    version, content = reading.get_secret_value(
        call.principal,
        call.params["SecretId"],
        version_id=call.params.get("VersionId", ""),
        version_stage=call.params.get("VersionStage", ""),
    )
    return {
        **_named(version.secret),
        "VersionId": version.version_id,
        "SecretBinary": content.data if content.is_binary else None,
        "SecretString": None if content.is_binary else content.data.decode(),
        "VersionStages": version.stages or None,
        "CreatedDate": version.created_at,
    }


@operation("secretsmanager", "PutSecretValue")
def put_secret_value(call: Call) -> dict[str, Any]:
    given = call.params
    version = writing.put_secret_value(
        call.principal,
        given["SecretId"],
        _content(call),
        version_id=given.get("ClientRequestToken"),
        stages=given.get("VersionStages"),
    )
    return {**_named(version.secret), "VersionId": version.version_id, "VersionStages": version.stages or None}


@operation("secretsmanager", "UpdateSecret")
def update_secret(call: Call) -> dict[str, Any]:
    given = call.params
    _refuse(call, "Type")
    writing.check_key(given.get("KmsKeyId"))
    secret, version = writing.update_secret(
        call.principal,
        given["SecretId"],
        _content(call),
        version_id=given.get("ClientRequestToken"),
        description=given.get("Description"),
    )
    return {**_named(secret), "VersionId": version.version_id if version else None}


@operation("secretsmanager", "UpdateSecretVersionStage")
def update_secret_version_stage(call: Call) -> dict[str, Any]:
    given = call.params
    secret = writing.update_version_stage(
        call.principal,
        given["SecretId"],
        given["VersionStage"],
        remove_from=given.get("RemoveFromVersionId"),
        move_to=given.get("MoveToVersionId"),
    )
    return _named(secret)


@operation("secretsmanager", "DescribeSecret")
def describe_secret(call: Call) -> dict[str, Any]:
    secret = secret_for(call.principal, "secretsmanager:DescribeSecret", call.params["SecretId"], allow_deleted=True)
    return {**_known(secret), "VersionIdsToStages": reading.stages_of(secret)}


@operation("secretsmanager", "GetResourcePolicy")
def get_resource_policy(call: Call) -> dict[str, Any]:
    """No secret here has a policy of its own; Terraform asks all the same."""
    return _named(secret_for(call.principal, "secretsmanager:GetResourcePolicy", call.params["SecretId"]))


@operation("secretsmanager", "ListSecrets")
def list_secrets(call: Call) -> dict[str, Any]:
    given = call.params
    found = reading.list_secrets(
        call.principal,
        [reading.Filter.of(one) for one in given.get("Filters", ())],
        include_deleted=given.get("IncludePlannedDeletion", False),
    )
    by = given.get("SortBy", "created-date")

    def shape(secret: Secret) -> dict[str, Any]:
        return {**_known(secret), "SecretVersionsToStages": reading.stages_of(secret)}

    return _listed(
        call,
        "SecretList",
        found,
        lambda secret: reading.sort_key(secret, by),
        shape,
        order=by,
        descending=given.get("SortOrder", "desc") == "desc",
    )


@operation("secretsmanager", "ListSecretVersionIds")
def list_secret_version_ids(call: Call) -> dict[str, Any]:
    secret, found = reading.list_versions(
        call.principal, call.params["SecretId"], include_deprecated=call.params.get("IncludeDeprecated", False)
    )

    def shape(version: SecretVersion) -> dict[str, Any]:
        return {
            "VersionId": version.version_id,
            "VersionStages": version.stages or None,
            "LastAccessedDate": version.last_used_at,
            "CreatedDate": version.created_at,
        }

    return {**_listed(call, "Versions", found, lambda one: f"{one.pk:020d}", shape), **_named(secret)}


@operation("secretsmanager", "DeleteSecret")
def delete_secret(call: Call) -> dict[str, Any]:
    arn, name, at = deletion.delete_secret(
        call.principal,
        call.params["SecretId"],
        days=call.params.get("RecoveryWindowInDays"),
        force=call.params.get("ForceDeleteWithoutRecovery", False),
    )
    return {"ARN": arn, "Name": name, "DeletionDate": at}


@operation("secretsmanager", "RestoreSecret")
def restore_secret(call: Call) -> dict[str, Any]:
    return _named(deletion.restore_secret(call.principal, call.params["SecretId"]))


@operation("secretsmanager", "TagResource")
def tag_resource(call: Call) -> None:
    writing.tag(call.principal, call.params["SecretId"], _tags(call))


@operation("secretsmanager", "UntagResource")
def untag_resource(call: Call) -> None:
    writing.untag(call.principal, call.params["SecretId"], call.params["TagKeys"])


@operation("secretsmanager", "GetRandomPassword")
def get_random_password(call: Call) -> dict[str, Any]:
    given = call.params
    made = random_password(
        call.principal,
        given.get("PasswordLength", DEFAULT_LENGTH),
        excluded=given.get("ExcludeCharacters", ""),
        lowercase=not given.get("ExcludeLowercase", False),
        uppercase=not given.get("ExcludeUppercase", False),
        digits=not given.get("ExcludeNumbers", False),
        punctuation=not given.get("ExcludePunctuation", False),
        space=given.get("IncludeSpace", False),
        each_kind=given.get("RequireEachIncludedType", True),
    )
    return {"RandomPassword": made}


# ---- shapes ----------------------------------------------------------------------------------------------------------


def _content(call: Call) -> Content | None:
    return Content.of(call.params.get("SecretString"), call.params.get("SecretBinary"))


def _tags(call: Call) -> dict[str, str]:
    return tagging.given(call.params.get("Tags", ()), "InvalidParameterException")


def _refuse(call: Call, *members: str) -> None:
    for member in members:
        if call.params.get(member):
            raise invalid_parameter(f"{member} is not available on this server.", "Leave it out.")


def _named(secret: Secret) -> dict[str, Any]:
    return {"ARN": secret.arn, "Name": secret.name}


def _known(secret: Secret) -> dict[str, Any]:
    """What descriptions and lists have in common."""
    return {
        **_named(secret),
        "Description": secret.description or None,
        "LastChangedDate": secret.changed_at,
        "LastAccessedDate": secret.last_used_at,
        "DeletedDate": secret.purge_at,
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(secret.tags.items())] or None,
        "CreatedDate": secret.created_at,
    }


def _listed(
    call: Call,
    member: str,
    rows: Iterable[Row],
    key: Callable[[Row], str],
    shape: Callable[[Row], Any],
    *,
    order: str = "",
    descending: bool = True,
) -> dict[str, Any]:
    """A page of a list, with the token of the next one."""
    shown, token = page(
        rows,
        key=key,
        kind=f"{call.model.name} {order} {descending}",
        token=call.params.get("NextToken") or None,
        limit=call.params.get("MaxResults", PAGE),
        refusal=InvalidInput("The specified token isn't valid.", code="InvalidNextTokenException"),
        descending=descending,
    )
    return {member: [shape(row) for row in shown], "NextToken": token}
