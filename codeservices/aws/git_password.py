"""The git passwords that `aws codecommit credential-helper` and git-remote-codecommit compute from a secret access key.

They are signatures of a variant of Signature Version 4. Source: the behaviour of the two programs.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from datetime import datetime

from codeservices.aws import sigv4

_PASSWORD = re.compile(r"(\d{8}T\d{6})Z([0-9a-f]{64})", re.ASCII)


def looks_signed(password: str) -> bool:
    """Whether a Basic password has the form that the credential helper computes: time, Z, 64 hex digits."""
    return _PASSWORD.fullmatch(password) is not None


def verify(
    password: str, *, secret: str, path: str, hosts: Iterable[str], regions: Iterable[str], now: datetime
) -> str | None:
    """Check a git password that `aws codecommit credential-helper` or git-remote-codecommit computed.

    The variant differs from a request's signature: method GIT, no body hash, and no Z in the time that is signed.
    Which spelling of path and host and which region the client signed stands nowhere, so every likely one is tried.

    Args:
        password: Time, Z and signature: 80 characters.
        secret: The secret access key of the Basic user name.
        path: The repository's path as the client asked for it, without /info/refs and the like.
        hosts: Host names the client may have signed, each with and without its port.
        regions: Regions the client may be configured with.
        now: An aware datetime in UTC; the time signed may lie 15 minutes to either side.

    Returns:
        The region that was signed where the password is right and fresh, else None.
    """
    match = _PASSWORD.fullmatch(password)
    if match is None:
        return None
    timestamp, signature = match.groups()
    signed_at = sigv4.read_time(timestamp + "Z")
    if signed_at is None or abs(now - signed_at) > sigv4.MAX_SKEW:
        return None
    bare = path.rstrip("/")
    paths = dict.fromkeys((path, bare, bare + "/"))
    for region in dict.fromkeys(regions):
        key = sigv4.signing_key(secret, timestamp[:8], region, "codecommit")
        scope = f"{timestamp[:8]}/{region}/codecommit/{sigv4.TERMINATOR}"
        for host in dict.fromkeys(hosts):
            for spelling in paths:
                canonical = f"GIT\n{spelling}\n\nhost:{host}\n\nhost\n"
                expected = sigv4.sign(key, sigv4.string_to_sign(timestamp, scope, canonical))
                if hmac.compare_digest(expected, signature):
                    return region
    return None
