"""Who has signed a request: the same question before every operation of the AWS endpoint, S3's among them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from django.conf import settings
from django.utils import timezone

from codeservices.audit.acts import RequestInfo
from codeservices.audit.record import act
from codeservices.aws import sigv2, sigv4
from codeservices.iam import credentials
from codeservices.iam.credentials import AccessKeyCredential
from codeservices.iam.principal import Principal

logger = logging.getLogger(__name__)

UNKNOWN_KEY = "The security token included in the request is invalid."


def authenticate(
    signed: sigv4.SignedRequest, info: RequestInfo, *, service: str, event_name: str, event_source: str
) -> tuple[AccessKeyCredential, sigv4.Signature]:
    """The key that signed a request, and its claim.

    Args:
        service: The signing name of the service that the request is routed to.
        event_name, event_source: What the trail calls it where somebody has the id of a key and not its secret.

    Raises:
        SignatureError: With the JSON services' codes.
    """
    claim = sigv4.parse(signed)
    key = _key(claim.access_key_id, claim.session_token)
    with _told(key, info, event_name, event_source):
        sigv4.verify(signed, claim, secret=key.secret, service=service, now=timezone.now())
    credentials.touch_access_key(key, service, claim.region)
    return key, claim


def authenticate_url(
    signed: sigv4.SignedRequest, info: RequestInfo, *, event_name: str, event_source: str
) -> tuple[AccessKeyCredential, sigv2.Claim]:
    """The same for a URL of S3 that is signed in the old way; raises likewise."""
    claim = sigv2.parse(signed)
    key = _key(claim.access_key_id, claim.session_token)
    with _told(key, info, event_name, event_source):
        sigv2.verify(signed, claim, secret=key.secret, now=timezone.now())
    credentials.touch_access_key(key, "s3", settings.REGION)
    return key, claim


def _key(access_key_id: str, session_token: str | None) -> AccessKeyCredential:
    key = credentials.find_access_key(access_key_id) if "\0" not in access_key_id else None
    if key is None or not key.is_active or not key.accepts_token(session_token):
        logger.info("key %r is unknown or inactive", access_key_id[:128])
        raise sigv4.SignatureError(UNKNOWN_KEY, code="UnrecognizedClientException")
    return key


@contextmanager
def _told(key: AccessKeyCredential, info: RequestInfo, event_name: str, event_source: str) -> Iterator[None]:
    """Around the check of a signature: that somebody holds the id of a real key and not its secret is told."""
    try:
        yield
        if key.is_expired(timezone.now()):
            raise sigv4.SignatureError(
                "The security token included in the request is expired", code="ExpiredTokenException"
            )
    except sigv4.SignatureError:
        nobody = replace(Principal.anonymous(settings.ACCOUNT_ID), access_key_id=key.access_key_id)
        with act(nobody, info, event_name=event_name, event_source=event_source):
            raise
