"""What IAM's operations share: whose user a call means, lists in pages, tags and documents as the wire has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from botocore.model import OperationModel
from django.db.models import Model, QuerySet

from codeservices.aws import validate
from codeservices.aws.dispatch import Call, constraint_error
from codeservices.aws.paging import page
from codeservices.errors import InvalidInput, ServiceError
from codeservices.iam.models import AccessKey, GitCredential, SshPublicKey

DEFAULT_PAGE = 100  # IAM API Reference: MaxItems defaults to 100

Row = TypeVar("Row")
Pathed = TypeVar("Pathed", bound=Model)


@constraint_error("iam")
def _broken_constraint(_operation: OperationModel, problems: list[validate.Problem]) -> ServiceError:
    """IAM has one code for what its model forbids, but for the encoding of an SSH key."""
    is_encoding = any((problem.path, problem.rule) == ("encoding", "enum") for problem in problems)
    code = "UnrecognizedPublicKeyEncoding" if is_encoding else "ValidationError"
    return ServiceError(validate.sentences(problems), code=code)


# ---- in --------------------------------------------------------------------------------------------------------------


def user_name_of(call: Call) -> str:
    """The user named, or the caller's own."""
    name: str | None = call.params.get("UserName")
    if name is not None:
        return name
    if call.principal.kind != "user":
        raise ServiceError("Must specify userName when calling with non-User credentials", code="ValidationError")
    return call.principal.name


def tags_of(call: Call) -> dict[str, str]:
    """The tags of a request; one key twice is refused, and keys that differ in case alone are one key."""
    given = call.params.get("Tags", [])
    if len({tag["Key"].casefold() for tag in given}) < len(given):
        raise InvalidInput(
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.", code="InvalidInput"
        )
    return {tag["Key"]: tag["Value"] for tag in given}


def under_path(call: Call, rows: QuerySet[Pathed]) -> QuerySet[Pathed]:
    """Only the rows below the request's PathPrefix."""
    return rows.filter(path__startswith=call.params.get("PathPrefix", "/"))


# ---- out -------------------------------------------------------------------------------------------------------------


def listed(
    call: Call, member: str, rows: Iterable[Row], key: Callable[[Row], str], shape: Callable[[Row], Any]
) -> dict[str, Any]:
    """A page of IAM's lists: Marker in and out, IsTruncated always."""
    shown, marks = paged(call, member, rows, key)
    return {member: [shape(row) for row in shown], **marks}


def paged(
    call: Call, kind: str, rows: Iterable[Row], key: Callable[[Row], str]
) -> tuple[list[Row], dict[str, str | bool | None]]:
    """The rows of the page that a call asks for, and the members IsTruncated and Marker of its answer."""
    shown, marker = page(
        rows,
        key=key,
        kind=kind,
        token=call.params.get("Marker"),
        limit=call.params.get("MaxItems", DEFAULT_PAGE),
        refusal=ServiceError("Invalid Marker.", code="ValidationError"),
    )
    return shown, {"IsTruncated": marker is not None, "Marker": marker}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as the wire has them, by key."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def listed_tags(call: Call, tags: Mapping[str, str]) -> dict[str, Any]:
    """The answer of the operations that list tags."""
    answer: dict[str, Any] = listed(call, "Tags", tag_list(tags), lambda tag: tag["Key"], lambda tag: tag)
    return answer


def encoded(document: str) -> str:
    """A policy document as every answer carries it: percent-encoded after RFC 3986."""
    return quote(document, safe="")


def by_age(credential: AccessKey | GitCredential | SshPublicKey) -> str:
    """A key that orders credentials, the oldest first."""
    created_at = credential.uploaded_at if isinstance(credential, SshPublicKey) else credential.created_at
    return f"{created_at.isoformat()} {credential.pk}"
