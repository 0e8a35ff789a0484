"""What the query of an S3 request says: sub-resources and parameters, and headers that a presigned URL stands for."""

from __future__ import annotations

from urllib.parse import parse_qsl

from codeservices.aws import headers as header_rules
from codeservices.errors import InvalidInput

_OF_SIGNATURE = frozenset(
    f"x-amz-{name}" for name in ("algorithm", "credential", "date", "expires", "signedheaders", "signature")
)
MAX_PARAMETERS = 200


def parameters(raw_query: str) -> dict[str, str]:
    """Sub-resources and parameters, without those of a signature; raises InvalidInput InvalidURI."""
    try:
        pairs = parse_qsl(raw_query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise InvalidInput("Couldn't parse the specified URI.", code="InvalidURI") from None
    return {name: value for name, value in pairs if not name.lower().startswith("x-amz-")}


def headers(raw_query: str) -> dict[str, str]:
    """Headers that whoever signed the URL put into its query: they count as if they were sent.

    Raises:
        InvalidInput: InvalidArgument for what could not have been sent.
    """
    found: dict[str, str] = {}
    for name, value in parse_qsl(raw_query, keep_blank_values=True):
        header = name.lower()
        if not header.startswith("x-amz-") or header in _OF_SIGNATURE:
            continue
        if header in found or not header_rules.is_name(header) or header_rules.has_control(value):
            raise InvalidInput(
                f"The parameter {name[:100]!r} stands for a header: one value, no control characters.",
                code="InvalidArgument",
            )
        found[header] = value
    return found
