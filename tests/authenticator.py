"""What an authenticator app does, in its own words: RFC 6238 by the standard library alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct

from django.utils import timezone


def mfa_code(secret: str, *, steps: int = 0) -> str:
    """The code that an app with this secret shows now, or some steps of 30 seconds later (before, where negative)."""
    step = int(timezone.now().timestamp()) // 30 + steps
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    start = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"
