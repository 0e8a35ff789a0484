"""The AWS Query protocol: a form to Python by its input shape, an answer or an error to XML.

Sources: botocore's models and parsers; AWS Query protocol of Smithy; IAM API Reference, "Common Errors".
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.model import OperationModel, Shape

from codeservices.aws.json11 import check_text
from codeservices.aws.model import Service, declared_error
from codeservices.errors import AccessDenied, ServiceError

CONTENT_TYPE = "text/xml"
MAX_FIELDS = 5000  # far above what IAM's largest call needs
# What the JSON services call it: what the Query services do, and its status.
_GENERIC = {
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", 403),
    "IncompleteSignatureException": ("IncompleteSignature", 400),
    "UnrecognizedClientException": ("InvalidClientTokenId", 403),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "ExpiredTokenException": ("ExpiredToken", 403),
    "AccessDeniedException": ("AccessDenied", 403),
    "ThrottlingException": ("Throttling", 400),
    "UnknownOperationException": ("InvalidAction", 400),
    "UnsupportedOperationException": ("UnsupportedOperation", 400),
    "SerializationException": ("InvalidParameterValue", 400),
    "ValidationException": ("ValidationError", 400),
    "RequestEntityTooLargeException": ("RequestEntityTooLarge", 413),
    "InternalFailure": ("InternalFailure", 500),
    "ServiceUnavailable": ("ServiceUnavailable", 503),
}
# XML 1.0 has no way to write these, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def fields(encoded: str | bytes) -> dict[str, str]:
    """The fields of a form or query string; of a name given twice the last counts.

    Raises:
        ServiceError: SerializationException where there are too many, or the bytes are no UTF-8.
    """
    try:
        text = encoded.decode("ascii") if isinstance(encoded, bytes) else encoded
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise _unreadable("The request's parameters are not a valid form in UTF-8.") from error


def parse(operation: OperationModel, form: Mapping[str, str]) -> dict[str, Any]:
    """Read a request's fields by the operation's input shape.

    Returns:
        The members that are present: blobs as bytes, timestamps as aware datetimes. Unknown fields are left out.

    Raises:
        ServiceError: SerializationException where a value has the wrong form.
    """
    if operation.input_shape is None:
        return {}
    return _read_structure(operation.input_shape, _tree(form), "")


def serialise(service: Service, operation: OperationModel, result: dict[str, Any], request_id: str) -> bytes:
    """Write an answer by the operation's output shape, in the frame that clients expect.

    A member that is None is left out. A member that the shape doesn't have is a fault of ours and raises KeyError.
    """
    shape = operation.output_shape
    body = ""
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper", f"{operation.name}Result")
        body = _element(wrapper, shape, result)
    name = operation.name
    namespace = service.model.metadata["xmlNamespace"]
    text = (
        f'<{name}Response xmlns="{namespace}">{body}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
    )
    return text.encode()


def error(service: Service | None, failure: ServiceError, request_id: str) -> tuple[int, str, bytes]:
    """The HTTP status, the code and the body that tell of a failure."""
    declared = declared_error(service, failure.code) if service is not None else None
    if service is not None and isinstance(failure, AccessDenied):
        declared = declared_error(service, "AuthorizationErrorException")  # what SNS calls a denial
    # STS declares an ExpiredTokenException too, for tokens of other identity providers; of its own it says as all do.
    if declared is not None and failure.code != "ExpiredTokenException":
        code, status = declared.code, declared.status
    else:
        code, status = _GENERIC.get(failure.code, (failure.code.removesuffix("Exception"), failure.status))
    namespace = service.model.metadata["xmlNamespace"] if service is not None else ""
    frame = f' xmlns="{namespace}"' if namespace else ""
    kind = "Receiver" if status >= 500 else "Sender"
    message = _text(f"{failure.message} {failure.hint}".strip())
    text = (
        f"<ErrorResponse{frame}><Error><Type>{kind}</Type><Code>{_text(code)}</Code><Message>{message}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return status, code, text.encode()


# ---- reading: "Tags.member.1.Key" becomes {"Tags": {"member": {"1": {"Key": …}}}} ----


class _Node(dict[str, Any]):
    """The fields below one name; `text` is the field of that very name."""

    text: str | None = None


def _tree(form: Mapping[str, str]) -> _Node:
    root = _Node()
    for name, value in form.items():
        node = root
        for part in name.split(".", 16):  # the deepest shape needs far fewer
            node = node.setdefault(part, _Node())
        node.text = value
    return root


def _read_structure(shape: Any, node: _Node, path: str) -> dict[str, Any]:
    result = {}
    for name, member in shape.members.items():
        child = node.get(member.serialization.get("name", name))
        if child is not None:
            value = _read(member, child, f"{path}.{name}" if path else name)
            if value is not None:
                result[name] = value
    return result


def _read(shape: Any, node: _Node, path: str) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return _read_structure(shape, node, path)
    if kind == "list":
        items = node.get(shape.member.serialization.get("name", "member"))
        return [_read(shape.member, child, f"{path}.{place}") for place, child in _numbered(items or _Node(), path)]
    if kind == "map":
        entries = node.get("entry")
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        result = {}
        for _, child in _numbered(entries or _Node(), path):
            key = child.get(key_name)
            if key is None or key.text is None:
                raise _unreadable(f"An entry of '{path}' has no key.")
            result[check_text(key.text, path)] = _read(
                shape.value, child.get(value_name, _Node()), f"{path}.{key.text}"
            )
        return result
    return None if node.text is None else _read_scalar(shape, node.text, path)


def _numbered(node: _Node, path: str) -> list[tuple[int, _Node]]:
    places = []
    for name, child in node.items():
        if not (name.isascii() and name.isdigit() and len(name) <= 6):
            raise _unreadable(f"'{path}' is a list: its places are numbers from 1, not '{name[:40]}'.")
        places.append((int(name), child))
    return sorted(places, key=lambda pair: pair[0])


def _read_scalar(shape: Shape, text: str, path: str) -> Any:
    kind = shape.type_name
    if kind == "string":
        return check_text(text, path)
    if kind == "boolean":
        if text.lower() not in ("true", "false"):
            raise _unreadable(f"'{path}' must be true or false.")
        return text.lower() == "true"
    try:
        if kind == "blob":
            return base64.b64decode(text, validate=True)
        if kind == "timestamp":
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if kind in ("float", "double"):
            return float(text)
        if re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII) is None:
            raise ValueError(text)
        return int(text)
    except (ValueError, binascii.Error) as error:
        raise _unreadable(f"The value at '{path}' can't be read as {kind}.") from error


def _unreadable(sentence: str) -> ServiceError:
    return ServiceError(sentence, code="SerializationException")


# ---- writing ---------------------------------------------------------------------------------------------------------


def _element(tag: str, shape: Any, value: Any) -> str:
    inner = _inner(shape, value)
    return f"<{tag}>{inner}</{tag}>" if inner else f"<{tag}/>"


def _inner(shape: Any, value: Any) -> str:
    kind = shape.type_name
    if kind == "structure":
        unknown = value.keys() - shape.members.keys()
        if unknown:
            raise KeyError(f"{shape.name} has no member {', '.join(sorted(unknown))}")
        return "".join(
            _element(member.serialization.get("name", name), member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        )
    if kind == "list":
        tag = shape.member.serialization.get("name", "member")
        return "".join(_element(tag, shape.member, item) for item in value)
    if kind == "map":
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        return "".join(
            f"<entry><{key_name}>{_text(key)}</{key_name}>{_element(value_name, shape.value, item)}</entry>"
            for key, item in value.items()
        )
    if kind == "timestamp":
        return iso(value)
    if kind == "boolean":
        return "true" if value else "false"
    if kind == "blob":
        return base64.b64encode(value).decode()
    return _text(str(value))


def iso(moment: datetime) -> str:
    """A time as the Query services give it: ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("�", text), {"\r": "&#13;"})
