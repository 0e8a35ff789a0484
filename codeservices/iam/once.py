"""A secret on its way to the one page that shows it.

The answer to the form that makes it is a redirect, so that reloading makes no second one. In between the secret lies
sealed in the session, and whoever reads it takes it out.
"""

from __future__ import annotations

import json
from typing import TypedDict

from cryptography.fernet import InvalidToken
from django.http import HttpRequest

from codeservices.iam import secrets

_KEY = "shown_once"


class Secret(TypedDict):
    """What the page shows: labels with values, and the same as a CSV file in base64."""

    rows: list[tuple[str, str]]
    filename: str
    csv: str


def keep(request: HttpRequest, secret: Secret) -> None:
    """Seal the values into the session for the next page."""
    request.session[_KEY] = secrets.seal(json.dumps(secret))


def take(request: HttpRequest) -> Secret | None:
    """The values, once; None when there are none, or the key that they were sealed with is retired."""
    sealed = request.session.pop(_KEY, None)
    try:
        return json.loads(secrets.unseal(sealed)) if sealed else None
    except InvalidToken:
        return None
