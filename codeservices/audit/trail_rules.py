"""What a trail's settings may be.

Source: AWS CloudTrail API Reference, CreateTrail and PutEventSelectors; Amazon S3 User Guide, "General purpose bucket
naming rules".
"""

from __future__ import annotations

import re
from typing import Any

from codeservices import storage
from codeservices.errors import ServiceError
from codeservices.objects import names

MAX_TRAILS = 5  # CloudTrail User Guide, "Quotas": trails in a region
MAX_TAGS = 50
MAX_PREFIX = 200
# Buckets that hold what is ours.
RESERVED_BUCKETS = frozenset({"builds"})
# The two sources that CloudTrail lets a selector leave out; neither acts here.
EXCLUDABLE_SOURCES = ("kms.amazonaws.com", "rdsdata.amazonaws.com")

_NAME = re.compile(r"[A-Za-z0-9](?:[._-]?[A-Za-z0-9])*")
_TAG = re.compile(r"[\w .:/=+@-]*")


def check_name(name: str) -> None:
    """Raises InvalidTrailNameException."""
    if not 3 <= len(name) <= 128 or not _NAME.fullmatch(name) or names.is_address(name):
        raise ServiceError(
            f"“{name[:140]}” is no trail name: it must have 3 to 128 letters, digits, periods, underscores or dashes,"
            " begin and end with a letter or digit, have no two of the others side by side, and be no IP address.",
            code="InvalidTrailNameException",
        )


def check_bucket(name: str) -> None:
    """Raises InvalidS3BucketNameException, or InsufficientS3BucketPolicyException for a folder of our own."""
    if not names.is_bucket_name(name):
        raise ServiceError(
            f"“{name[:70]}” is no bucket name: it must have 3 to 63 lower-case letters, digits, periods or dashes,"
            " begin and end with a letter or digit, and not look like an IP address.",
            code="InvalidS3BucketNameException",
        )
    if name in RESERVED_BUCKETS:
        raise ServiceError(
            f"The bucket {name} holds what builds make; a trail can't write there. Name another one.",
            code="InsufficientS3BucketPolicyException",
        )


def check_prefix(prefix: str) -> None:
    """Raises InvalidS3PrefixException where the object store has no such key."""
    try:
        storage.check_key(prefix)
    except ValueError:
        is_key = False
    else:
        is_key = True
    if prefix and (not is_key or len(prefix) > MAX_PREFIX):
        raise ServiceError(
            f"“{prefix[:210]}” is no key prefix: it must have at most {MAX_PREFIX} characters, in parts of letters,"
            " digits, periods, underscores and dashes that are separated by slashes and begin with a letter or digit.",
            code="InvalidS3PrefixException",
        )


def check_available(params: dict[str, Any]) -> None:
    """Raises where a trail asks for what this server does not have; nothing is accepted and then ignored."""
    refusals = (
        ("SnsTopicName", "InvalidSnsTopicNameException", "Trails notify no topics here: leave SnsTopicName out."),
        ("KmsKeyId", "InvalidKmsKeyIdException", "There is no KMS here: leave KmsKeyId out."),
        (
            "CloudWatchLogsLogGroupArn",
            "InvalidCloudWatchLogsLogGroupArnException",
            "Trails deliver to the object store alone: leave CloudWatchLogsLogGroupArn out.",
        ),
        (
            "CloudWatchLogsRoleArn",
            "InvalidCloudWatchLogsRoleArnException",
            "Trails deliver to the object store alone: leave CloudWatchLogsRoleArn out.",
        ),
        ("IsOrganizationTrail", "OrganizationsNotInUseException", "This installation is one account: no organization."),
        (
            "EnableLogFileValidation",
            "UnsupportedOperationException",
            "Digest files are not written here: leave EnableLogFileValidation out. The trail itself is a hash chain,"
            " which “manage.py verify_audit_trail” checks.",
        ),
    )
    for member, code, sentence in refusals:
        if params.get(member):
            raise ServiceError(sentence, code=code)


def selected(selectors: list[dict[str, Any]]) -> tuple[str, bool, list[str]]:
    """(ReadWriteType, IncludeManagementEvents, sources left out) of event selectors.

    Raises:
        ServiceError: InvalidEventSelectorsException.
    """
    if len(selectors) != 1:
        raise _selectors("Give one event selector: all events here are management events.")
    one = selectors[0]
    if one.get("DataResources"):
        raise _selectors("There are no data events here: leave DataResources out.")
    excluded = list(one.get("ExcludeManagementEventSources", []))
    for source in excluded:
        if source not in EXCLUDABLE_SOURCES:
            raise _selectors(f"“{source[:100]}” can't be left out; only {' and '.join(EXCLUDABLE_SOURCES)} can.")
    includes = one.get("IncludeManagementEvents", True)
    if not includes and excluded:
        raise _selectors("A selector without management events has no sources to leave out.")
    return one.get("ReadWriteType", "All"), includes, excluded


def check_tags(tags: list[dict[str, str]]) -> dict[str, str]:
    """The tags as a mapping; raises InvalidTagParameterException."""
    found: dict[str, str] = {}
    for tag in tags:
        key, value = tag["Key"], tag.get("Value", "")
        if not key or key.lower().startswith("aws:") or not _TAG.fullmatch(key) or not _TAG.fullmatch(value):
            raise ServiceError(
                f"The tag “{key[:130]}” is not valid: letters, digits, blanks and . : / = + - @ _ make keys and values,"
                " and keys that begin with aws: are reserved.",
                code="InvalidTagParameterException",
            )
        if key in found:
            raise ServiceError(f"The tag “{key}” is given twice.", code="InvalidTagParameterException")
        found[key] = value
    return found


def _selectors(sentence: str) -> ServiceError:
    return ServiceError(sentence, code="InvalidEventSelectorsException")
