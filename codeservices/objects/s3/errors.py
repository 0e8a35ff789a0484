"""Errors as S3 tells them.

Source: Amazon S3 API Reference, "Error Responses".
"""

from __future__ import annotations

from collections.abc import Mapping

from codeservices.aws import sigv4
from codeservices.errors import AccessDenied, ServiceError
from codeservices.objects.s3 import xml

# What the other services' errors are called here, and their status.
_CODES = {
    "MissingAuthenticationTokenException": ("AccessDenied", 403),
    "UnrecognizedClientException": ("InvalidAccessKeyId", 403),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "ExpiredTokenException": ("ExpiredToken", 400),
    "ServiceUnavailableException": ("ServiceUnavailable", 503),
    "InternalFailure": ("InternalError", 500),
    "RequestEntityTooLargeException": ("EntityTooLarge", 400),
}
_UNKNOWN_KEY = "The AWS Access Key Id you provided does not exist in our records."


class Refusal(ServiceError):
    """An error with more to tell than its sentence.

    Attributes:
        headers: Of the answer.
        details: Elements of the error's body.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, code=code, status=status, hint=hint)
        self.headers = headers or {}
        self.details = details or {}


def precondition_failed(condition: str) -> Refusal:
    """The refusal of a condition ("If-Match") that does not hold."""
    return Refusal(
        "At least one of the pre-conditions you specified did not hold",
        code="PreconditionFailed",
        status=412,
        details={"Condition": condition},
    )


def code_of(failure: ServiceError, *, is_presigned: bool) -> tuple[str, int]:
    """(S3's code, HTTP status)."""
    if isinstance(failure, AccessDenied | sigv4.PresignedExpired):
        return "AccessDenied", 403
    if isinstance(failure, sigv4.ClockError):
        return "RequestTimeTooSkewed", 403
    if failure.code == "IncompleteSignatureException":
        return ("AuthorizationQueryParametersError" if is_presigned else "AuthorizationHeaderMalformed"), 400
    return _CODES.get(failure.code, (failure.code.removesuffix("Exception"), failure.status))


def body_of(failure: ServiceError, code: str, resource: str, request_id: str) -> bytes:
    """The XML that tells of a failure."""
    sentence = f"{failure.message} {failure.hint}".strip()
    if isinstance(failure, sigv4.PresignedExpired):
        sentence = "Request has expired"
    elif isinstance(failure, sigv4.ClockError):
        sentence = f"The difference between the request time and the current time is too large. {sentence}"
    elif code == "InvalidAccessKeyId":
        sentence = _UNKNOWN_KEY
    told = [xml.text("Code", code), xml.text("Message", sentence)]
    if isinstance(failure, Refusal):
        told += [xml.text(name, value) for name, value in failure.details.items()]
    told += [xml.text("Resource", resource), xml.text("RequestId", request_id), xml.text("HostId", request_id)]
    return xml.error(told)
