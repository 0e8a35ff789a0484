"""What buckets and objects may be called.

Source: Amazon S3 User Guide, "General purpose bucket naming rules" and "Naming Amazon S3 objects".
"""

from __future__ import annotations

import ipaddress
import re

from codeservices.errors import InvalidInput

MAX_KEY_BYTES = 1024
# The pattern of a bucket's name, of which `is_bucket_name` refuses some more.
BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_BUCKET = re.compile(BUCKET)
_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def is_bucket_name(name: str) -> bool:
    """Whether a bucket may be called so."""
    return (
        _BUCKET.fullmatch(name) is not None
        and ".." not in name
        and not is_address(name)
        and not name.startswith(_PREFIXES)
        and not name.endswith(_SUFFIXES)
    )


def check_bucket(name: str) -> str:
    """The name itself; raises InvalidInput InvalidBucketName."""
    if not is_bucket_name(name):
        raise InvalidInput(
            f"The specified bucket is not valid: “{name[:70]}”.",
            code="InvalidBucketName",
            hint="A bucket's name has 3 to 63 lower-case letters, digits, periods and dashes, begins and ends with a"
            " letter or digit, and does not look like an IP address.",
        )
    return name


def check_key(key: str) -> str:
    """The key itself; raises InvalidInput KeyTooLongError, or InvalidURI for what no database and no XML can carry."""
    if not key:
        raise InvalidInput("An object's key has at least one character.", code="InvalidURI")
    try:
        encoded = key.encode()
    except UnicodeEncodeError:
        raise InvalidInput("Couldn't parse the specified URI: the key is no UTF-8.", code="InvalidURI") from None
    if "\0" in key:
        raise InvalidInput("Couldn't parse the specified URI: the key holds a NUL.", code="InvalidURI")
    if len(encoded) > MAX_KEY_BYTES:
        raise InvalidInput(
            f"Your key is too long: it has {len(encoded):,} bytes, and at most {MAX_KEY_BYTES:,} are allowed.",
            code="KeyTooLongError",
        )
    return key


def is_address(text: str) -> bool:
    """Whether a name could be taken for an IPv4 address."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
