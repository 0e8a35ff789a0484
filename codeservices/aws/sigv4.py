"""AWS Signature Version 4: canonical request, string to sign, compare; for headers and for presigned queries.

The caller looks up the secret, so nothing here knows where keys lie. Errors carry the JSON services' code names;
`codeservices.aws.query` translates them for IAM and STS.

Source: AWS General Reference, "Signing AWS API requests".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote, unquote_to_bytes

from codeservices.errors import ServiceError

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
MAX_SKEW = timedelta(minutes=15)
MAX_PRESIGNED_SECONDS = 7 * 24 * 3600  # AWS's own limit for a presigned request
_TIME_FORMAT = "%Y%m%dT%H%M%SZ"
_TIME = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_KEY_ID = re.compile(r"\w{1,128}", re.ASCII)
_REGION = re.compile(r"[\w-]{1,64}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}")
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


class SignatureError(ServiceError):
    """The request is not signed, or not signed rightly; `code` says which, as the JSON services name it."""

    code = "InvalidSignatureException"
    status = 403


class ClockError(SignatureError):
    """What was signed too long ago, or for a time that has not come."""


class PresignedExpired(ClockError):
    """A presigned request whose time is over."""


@dataclass(frozen=True)
class SignedRequest:
    """A request as it came over the wire: nothing decoded, nothing sorted.

    Attributes:
        method: "POST".
        path: The path still percent-encoded, "/".
        query: The query string still percent-encoded, without "?".
        headers: Name and value pairs in order; a name may repeat.
        body: Every byte of the body; None where whoever reads it compares it with the hash that was signed.
    """

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None

    def header(self, name: str) -> str | None:
        """The values of a header joined by commas, or None where it is absent."""
        values = [_trim(value) for key, value in self.headers if key.lower() == name]
        return ",".join(values) if values else None


@dataclass(frozen=True)
class Signature:
    """What the caller claims: which key signed which parts of the request, when, and the proof of it."""

    access_key_id: str
    scope_date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    session_token: str | None = None
    expires_seconds: int | None = None  # presigned requests alone

    @property
    def scope(self) -> str:
        return f"{self.scope_date}/{self.region}/{self.service}/{TERMINATOR}"

    @property
    def is_presigned(self) -> bool:
        return self.expires_seconds is not None


def parse(request: SignedRequest) -> Signature:
    """Read the signature from the Authorization header or from a presigned query.

    Raises:
        SignatureError: MissingAuthenticationTokenException where there is none, IncompleteSignatureException where
            it lacks a part or a part is malformed.
    """
    query = dict(_query_pairs(request.query))
    authorization = request.header("authorization")
    if authorization is not None:
        return _parse_header(request, authorization)
    if "X-Amz-Signature" in query or "X-Amz-Algorithm" in query:
        return _parse_query(query)
    raise SignatureError("Missing Authentication Token", code="MissingAuthenticationTokenException")


def verify(request: SignedRequest, claim: Signature, *, secret: str, service: str, now: datetime) -> None:
    """Check that the secret's owner signed exactly this request, for this service, about now.

    Args:
        request: The request that `claim` was parsed from.
        secret: The secret access key of `claim.access_key_id`.
        service: The signing name of the service that the request is routed to.
        now: An aware datetime in UTC.

    Raises:
        SignatureError: InvalidSignatureException, with the sentence that AWS gives.
    """
    if claim.service != service:
        raise SignatureError(f"Credential should be scoped to correct service: '{service}'.")
    if claim.timestamp[:8] != claim.scope_date:
        raise SignatureError(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{claim.scope_date}' != '{claim.timestamp[:8]}', from '{claim.timestamp}'."
        )
    _check_clock(claim, now)
    _check_coverage(request, claim)
    text = string_to_sign(
        claim.timestamp, claim.scope, canonical_request(request, claim, _payload_hash(request, claim))
    )
    expected = sign(signing_key(secret, claim.scope_date, claim.region, claim.service), text)
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        raise SignatureError(_MISMATCH)


def canonical_request(request: SignedRequest, claim: Signature, payload_hash: str) -> str:
    """The text whose hash is signed: method, path, query, signed headers, their names, the body's hash."""
    headers = "".join(f"{name}:{request.header(name) or ''}\n" for name in claim.signed_headers)
    return "\n".join(
        (
            request.method,
            _canonical_path(request.path, claim.service),
            _canonical_query(request.query),
            headers,
            ";".join(claim.signed_headers),
            payload_hash,
        )
    )


def string_to_sign(timestamp: str, scope: str, canonical: str) -> str:
    """The text that the signing key signs."""
    return "\n".join((ALGORITHM, timestamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key for one day, region and service: a chain of HMACs that begins at the secret."""
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def sign(key: bytes, text: str) -> str:
    """The signature in lower-case hex."""
    return hmac.digest(key, text.encode(), "sha256").hex()


# ---- reading the claim ----------------------------------------------------------------------------------------------


def _parse_header(request: SignedRequest, authorization: str) -> Signature:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{algorithm[:40]}'. Sign with {ALGORITHM}.")
    parts: dict[str, str] = {}
    for part in rest.split(","):
        key, separator, value = part.strip().partition("=")
        if not separator:
            raise _incomplete(f"'{key[:40]}' not a valid key=value pair (missing equal-sign) in Authorization header.")
        parts[key] = value
    missing = [name for name in ("Credential", "Signature", "SignedHeaders") if not parts.get(name)]
    if missing:
        raise _incomplete(" ".join(f"Authorization header requires '{name}' parameter." for name in missing))
    timestamp = _header_time(request)
    return _claim(parts["Credential"], parts["SignedHeaders"], parts["Signature"], timestamp, request)


def _parse_query(query: dict[str, str]) -> Signature:
    names = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders")
    missing = [name for name in (*names, "X-Amz-Signature") if not query.get(name)]
    if missing:
        raise _incomplete(" ".join(f"AWS query-string parameters must include '{name}'." for name in missing))
    if query["X-Amz-Algorithm"] != ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{query['X-Amz-Algorithm'][:40]}'. Sign with {ALGORITHM}.")
    expires = query["X-Amz-Expires"]
    if not (
        expires.isascii() and expires.isdigit() and 1 <= int(expires[:8]) <= MAX_PRESIGNED_SECONDS and len(expires) <= 8
    ):
        raise _incomplete(f"X-Amz-Expires must be a number of seconds from 1 to {MAX_PRESIGNED_SECONDS}.")
    if read_time(query["X-Amz-Date"]) is None:
        raise _incomplete("X-Amz-Date must be in ISO-8601 'basic format', as in 20170901T123456Z.")
    claim = _claim(
        query["X-Amz-Credential"], query["X-Amz-SignedHeaders"], query["X-Amz-Signature"], query["X-Amz-Date"], None
    )
    return Signature(
        **{**claim.__dict__, "session_token": query.get("X-Amz-Security-Token"), "expires_seconds": int(expires)}
    )


def _claim(credential: str, signed: str, signature: str, timestamp: str, request: SignedRequest | None) -> Signature:
    elements = credential.split("/")
    if len(elements) != 5 or not all(elements):
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{credential[:200]}'."
        )
    key_id, date, region, service, terminator = elements
    if terminator != TERMINATOR:
        raise SignatureError(f"Credential should be scoped with a valid terminator: '{TERMINATOR}'.")
    if _KEY_ID.fullmatch(key_id) is None:
        raise _incomplete("The access key id in the Credential must have 1 to 128 letters and digits.")
    if _REGION.fullmatch(region) is None:  # it is remembered of the key, where nothing longer fits
        raise _incomplete("The region in the Credential must have 1 to 64 letters, digits and dashes.")
    names = tuple(signed.split(";"))
    if list(names) != sorted({name.lower() for name in names}) or not all(names):
        raise _incomplete("SignedHeaders must list lower-case header names once each, sorted and joined by ';'.")
    if _HEX.fullmatch(signature) is None:
        raise SignatureError(_MISMATCH)
    token = request.header("x-amz-security-token") if request is not None else None
    return Signature(key_id, date, region, service, names, signature, timestamp, token)


def _header_time(request: SignedRequest) -> str:
    text = request.header("x-amz-date")
    if text is None:
        text = request.header("date")
        if text is None:
            raise _incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        if not _TIME.fullmatch(text):
            try:
                text = parsedate_to_datetime(text).astimezone(UTC).strftime(_TIME_FORMAT)
            except (ValueError, OverflowError):
                text = ""
    if read_time(text) is None:
        raise _incomplete("Date must be in ISO-8601 'basic format', as in 20170901T123456Z.")
    return text


def read_time(text: str) -> datetime | None:
    """The moment of a signature, 20170901T123456Z; None where the text is none."""
    if _TIME.fullmatch(text) is None:
        return None
    try:
        return datetime.strptime(text, _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def _incomplete(sentence: str) -> SignatureError:
    return SignatureError(sentence, code="IncompleteSignatureException", status=400)


# ---- checking it ----------------------------------------------------------------------------------------------------


def _check_clock(claim: Signature, now: datetime) -> None:
    signed_at = read_time(claim.timestamp)
    if signed_at is None:
        raise _incomplete("Date must be in ISO-8601 'basic format', as in 20170901T123456Z.")
    shown = now.strftime(_TIME_FORMAT)
    if claim.expires_seconds is not None:
        oldest, margin = now - timedelta(seconds=claim.expires_seconds), f"{claim.expires_seconds} sec."
    else:
        oldest, margin = now - MAX_SKEW, "15 min."
    if signed_at < oldest:
        raise (PresignedExpired if claim.is_presigned else ClockError)(
            f"Signature expired: {claim.timestamp} is now earlier than {oldest.strftime(_TIME_FORMAT)} "
            f"({shown} - {margin})"
        )
    newest = now + MAX_SKEW
    if signed_at > newest:
        raise ClockError(
            f"Signature not yet current: {claim.timestamp} is still later than {newest.strftime(_TIME_FORMAT)} "
            f"({shown} + 15 min.)"
        )


def _check_coverage(request: SignedRequest, claim: Signature) -> None:
    if "host" not in claim.signed_headers:
        raise SignatureError("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    present = {name.lower() for name, _ in request.headers}
    unsigned = sorted(name for name in present if name.startswith("x-amz-") and name not in claim.signed_headers)
    if unsigned:
        raise SignatureError(f"There were headers present in the request which were not signed: {', '.join(unsigned)}")
    absent = [name for name in claim.signed_headers if name not in present]
    if absent:
        raise SignatureError(f"SignedHeaders names headers that the request does not have: {', '.join(absent)}")


def _payload_hash(request: SignedRequest, claim: Signature) -> str:
    stated = request.header("x-amz-content-sha256")
    if claim.service == "s3" and (stated == UNSIGNED_PAYLOAD or (stated is None and claim.is_presigned)):
        return UNSIGNED_PAYLOAD
    if request.body is None:
        if stated is None:
            raise SignatureError(
                "Missing required header for this request: x-amz-content-sha256", code="InvalidRequest", status=400
            )
        return stated
    actual = hashlib.sha256(request.body).hexdigest()
    if stated is not None and not hmac.compare_digest(stated.encode(), actual.encode()):
        raise SignatureError("The value of the header x-amz-content-sha256 is not the SHA-256 of the request's body.")
    return actual


def _canonical_path(path: str, service: str) -> str:
    if service == "s3":  # object keys are signed as sent; "a//b" and "a/../b" are keys of their own
        return quote(unquote(path or "/", errors="surrogateescape"), safe="/-_.~", errors="surrogateescape")
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    ending = "/" if segments and path.endswith("/") else ""
    return quote("/" + "/".join(segments) + ending, safe="/-_.~")


def _canonical_query(query: str) -> str:
    pairs = []
    for piece in query.split("&"):
        if not piece:
            continue
        key, _, value = piece.partition("=")
        pair = tuple(quote(unquote_to_bytes(text), safe="-_.~") for text in (key, value))
        if pair[0] != "X-Amz-Signature":
            pairs.append(pair)
    return "&".join(f"{key}={value}" for key, value in sorted(pairs))


def _query_pairs(query: str) -> list[tuple[str, str]]:
    pairs = (piece.partition("=") for piece in query.split("&") if piece)
    return [(unquote(key), unquote(value)) for key, _, value in pairs]


def _trim(value: str) -> str:
    return re.sub(" +", " ", value).strip()
