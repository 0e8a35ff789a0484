"""Time-based one-time codes: the secret, the code of a step of time, and the picture that an app scans.

Source: RFC 6238 with its defaults (SHA-1, steps of 30 seconds, six digits), which all authenticator apps know;
the otpauth URI as Google Authenticator's "Key Uri Format" has it.
"""

from __future__ import annotations

import io
from datetime import datetime

import pyotp
import segno

STEP_SECONDS = 30
DIGITS = 6
# Clocks differ and people type slowly: the code before and the one after count too.
WINDOW_STEPS = 1


def new_secret() -> str:
    """160 random bits in base32, as RFC 4226 recommends."""
    return pyotp.random_base32(32)


def step_of(moment: datetime) -> int:
    """The number of the 30 seconds in which the moment lies."""
    return int(moment.timestamp()) // STEP_SECONDS


def matching_step(secret: str, code: str, moment: datetime) -> int | None:
    """The step near the moment whose code this is, or None; takes the same time whichever it is."""
    generator = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS)
    now = step_of(moment)
    found = None
    for step in range(now - WINDOW_STEPS, now + WINDOW_STEPS + 1):
        if pyotp.utils.strings_equal(code, generator.generate_otp(step)):
            found = step
    return found


def follows(secret: str, first: str, second: str, moment: datetime) -> int | None:
    """The later step of two codes that follow each other near the moment, or None where they don't."""
    generator = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS)
    now = step_of(moment)
    for step in range(now - WINDOW_STEPS, now + WINDOW_STEPS + 2):
        is_first = pyotp.utils.strings_equal(first, generator.generate_otp(step - 1))
        if pyotp.utils.strings_equal(second, generator.generate_otp(step)) and is_first:
            return step
    return None


def uri(secret: str, user_name: str, account: str) -> str:
    """What the picture says: otpauth://totp/…"""
    generator = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS)
    return generator.provisioning_uri(name=user_name, issuer_name=account)


def picture_svg(text: str) -> str:
    """The text as a QR code: an SVG as a data URI, dark on white in every theme, since scanners want it so."""
    made: str = segno.make(text, error="m", micro=False).svg_data_uri(scale=5, border=3, dark="#000", light="#fff")
    return made


def picture_png(text: str) -> bytes:
    """The text as a QR code in a PNG file."""
    file = io.BytesIO()
    segno.make(text, error="m", micro=False).save(file, kind="png", scale=5, border=3)
    return file.getvalue()
