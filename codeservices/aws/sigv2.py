"""AWS Signature Version 2 as S3's presigned URLs still carry it: what `aws s3 presign` makes for us-east-1.

It signs no body and no parameters but a few, so it counts for single objects alone, and with no other parameters.

Source: Amazon S3 API Reference, "Signing and authenticating REST requests (AWS signature version 2)", "Query string
request authentication alternative".
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from codeservices.aws import headers as header_rules
from codeservices.aws.sigv4 import MAX_PRESIGNED_SECONDS, PresignedExpired, SignatureError, SignedRequest

# Parameters that are signed as part of the resource.
_SIGNED = frozenset(
    {
        "acl",
        "partNumber",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "tagging",
        "uploadId",
        "uploads",
        "versionId",
    }
)
_OWN = ("AWSAccessKeyId", "Signature", "Expires")
_HEADERS = ("content-md5", "content-type")
_OTHER_PARAMETER = re.compile(rf"&(?:{'|'.join(sorted(_SIGNED))})(?:[=&]|$)")
_TOKEN = "x-amz-security-token"  # noqa: S105  a parameter's name


@dataclass(frozen=True)
class Claim:
    """What a URL says: whose key signed it, until when it counts, and the headers that it stands for."""

    access_key_id: str
    signature: str
    expires: str
    headers: dict[str, str]
    resource_query: str

    @property
    def session_token(self) -> str | None:
        return self.headers.get(_TOKEN)


def is_presigned(query: str) -> bool:
    """Whether a query string has the three parameters of such a URL."""
    return all(f"&{name}=" in f"&{query}" for name in _OWN)


def parse(request: SignedRequest) -> Claim:
    """Read the URL.

    What is signed has no escapes: where a line break or a parameter's name stands inside a value, the same text could
    be read as another request than the one that was signed, and a line break would get into an answer's headers.

    Raises:
        SignatureError: IncompleteSignatureException for parameters that are not signed, or can be read in two ways.
    """
    own: dict[str, str] = {}
    headers: dict[str, str] = {}
    resource: list[tuple[str, str]] = []
    for name, value in parse_qsl(request.query, keep_blank_values=True, max_num_fields=200):
        if name in own or name.lower() in headers or name in dict(resource):
            raise _incomplete(f"The parameter {name[:100]} may be given once.")
        if header_rules.has_control(value) or (name in _SIGNED and _OTHER_PARAMETER.search(value)):
            raise _incomplete(f"The value of {name[:100]} holds a control character, or another parameter.")
        if name in _OWN:
            own[name] = value
        elif (name.lower().startswith("x-amz-") and header_rules.is_name(name.lower())) or name.lower() in _HEADERS:
            headers[name.lower()] = value
        elif name in _SIGNED:
            resource.append((name, value))
        else:
            raise _incomplete(f"The parameter {name[:100]} is not signed; sign with AWS4-HMAC-SHA256.")
    if not own["Expires"].isascii() or not own["Expires"].isdigit() or len(own["Expires"]) > 12:
        raise _incomplete("Invalid date (should be seconds since epoch)")
    told = "&".join(f"{name}={value}" if value else name for name, value in sorted(resource))
    return Claim(own["AWSAccessKeyId"], own["Signature"], own["Expires"], headers, told)


def verify(request: SignedRequest, claim: Claim, *, secret: str, now: datetime) -> None:
    """Check that the secret's owner signed this URL, and that its time is not over; raises SignatureError."""
    left = int(claim.expires) - now.timestamp()
    if left > MAX_PRESIGNED_SECONDS:
        raise _incomplete(f"Expires may lie {MAX_PRESIGNED_SECONDS:,} seconds ahead at most.")
    text = string_to_sign(request, claim)
    expected = base64.b64encode(hmac.digest(secret.encode(), text.encode("utf-8", "surrogateescape"), "sha1"))
    if not hmac.compare_digest(expected, claim.signature.encode()):
        raise SignatureError(
            "The request signature we calculated does not match the signature you provided. Check your key and signing"
            " method."
        )
    if left < 0:
        raise PresignedExpired(f"Request has expired: {datetime.fromtimestamp(int(claim.expires), UTC):%Y%m%dT%H%M%SZ}")


def string_to_sign(request: SignedRequest, claim: Claim) -> str:
    """The text that is signed: method, two headers, the end, x-amz- headers, the resource."""
    sent = {name.lower(): request.header(name.lower()) or "" for name, _ in request.headers}
    headers = {**sent, **claim.headers}
    amz = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-amz-"))
    resource = request.path + (f"?{claim.resource_query}" if claim.resource_query else "")
    head = (request.method, headers.get("content-md5", ""), headers.get("content-type", ""), claim.expires)
    return "\n".join(head) + f"\n{amz}{resource}"


def _incomplete(sentence: str) -> SignatureError:
    return SignatureError(sentence, code="IncompleteSignatureException", status=400)
