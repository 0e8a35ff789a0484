"""The AWS JSON 1.1 protocol: a request's body to Python by its input shape, an answer or an error back to a body.

Sources: botocore's models and parsers; AWS JSON 1.1 protocol of Smithy.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from datetime import UTC, datetime
from typing import Any

from botocore.model import OperationModel, Shape

from codeservices.aws.model import Service, declared_error
from codeservices.errors import ServiceError

CONTENT_TYPE = "application/x-amz-json-1.1"
_NOT_KEPT = re.compile("[\0\ud800-\udfff]")
_INT_BITS = {"integer": 31, "long": 63}
# Statuses of the codes that every service may answer with; a policy's refusal is 400 here and 403 in Query.
_GENERIC_STATUS = {"InternalFailure": 500, "ServiceUnavailable": 503, "RequestEntityTooLargeException": 413}


def parse(operation: OperationModel, body: bytes) -> dict[str, Any]:
    """Read a request's body by the operation's input shape.

    Returns:
        The members that are present: blobs as bytes, timestamps as aware datetimes. Unknown members are left out,
        as AWS ignores them; a null is an absent member.

    Raises:
        ServiceError: SerializationException where the body is no JSON object or a value has the wrong type.
    """
    try:
        document = json.loads(body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _unreadable("The request's body is not valid JSON.") from error
    if not isinstance(document, dict):
        raise _unreadable("The request's body must be a JSON object.")
    if operation.input_shape is None:
        return {}
    parsed: dict[str, Any] = _read(operation.input_shape, document, "")
    return parsed


def serialise(operation: OperationModel, result: dict[str, Any]) -> bytes:
    """Write an answer by the operation's output shape; an operation without one has an empty body.

    A member that is None is left out. A member that the shape doesn't have is a fault of ours and raises KeyError.
    """
    if operation.output_shape is None:
        return b""
    document = _write(operation.output_shape, result)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def error(service: Service | None, failure: ServiceError) -> tuple[int, str, bytes]:
    """The HTTP status, the code and the body that tell of a failure."""
    declared = declared_error(service, failure.code) if service is not None else None
    if declared is not None:
        code, status = declared.name, declared.status
    else:
        code, status = failure.code, _GENERIC_STATUS.get(failure.code, 400)
    message = f"{failure.message} {failure.hint}".strip()
    body = json.dumps({"__type": code, "message": message}, ensure_ascii=False)
    return status, code, body.encode("utf-8", "backslashreplace")


# ---- reading ---------------------------------------------------------------------------------------------------------


def _read(shape: Shape, value: Any, path: str) -> Any:
    readers = {"structure": _read_structure, "list": _read_list, "map": _read_map}
    reader = readers.get(shape.type_name)
    return reader(shape, value, path) if reader is not None else _read_scalar(shape, value, path)


def _read_structure(shape: Any, value: Any, path: str) -> dict[str, Any]:
    _expect(value, dict, "structure", path)
    result = {}
    for name, member in shape.members.items():
        item = value.get(member.serialization.get("name", name))
        if item is not None:
            result[name] = _read(member, item, f"{path}.{name}" if path else name)
    return result


def _read_list(shape: Any, value: Any, path: str) -> list[Any]:
    _expect(value, list, "list", path)
    return [_read(shape.member, item, f"{path}[{place}]") for place, item in enumerate(value)]


def _read_map(shape: Any, value: Any, path: str) -> dict[str, Any]:
    _expect(value, dict, "map", path)
    return {check_text(key, path): _read(shape.value, item, f"{path}.{key}") for key, item in value.items()}


def _read_scalar(shape: Shape, value: Any, path: str) -> Any:
    kind = shape.type_name
    if kind == "string":
        _expect(value, str, "String", path)
        return check_text(value, path)
    if kind == "boolean":
        _expect(value, bool, "Boolean", path)
        return value
    if kind == "blob":
        _expect(value, str, "Blob", path)
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise _unreadable(f"The value at '{path}' is not valid base64.") from error
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(value, kind.capitalize(), path)
    if kind == "timestamp":
        try:
            return datetime.fromtimestamp(value, UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise _unreadable(f"The value at '{path}' is no time: give seconds since 1970.") from error
    if kind in _INT_BITS:
        if not math.isfinite(value) or value != int(value):
            raise _wrong_type(value, kind.capitalize(), path)
        number = int(value)
        if not -(2 ** _INT_BITS[kind]) <= number < 2 ** _INT_BITS[kind]:
            raise _unreadable(f"The value at '{path}' is out of the range of {kind.capitalize()}.")
        return number
    return float(value)


def check_text(text: str, path: str) -> str:
    """The text itself; raises where it holds what no database keeps: a NUL, or half of a surrogate pair."""
    if _NOT_KEPT.search(text):
        raise _unreadable(f"The value at '{path}' holds a NUL character or a lone surrogate.")
    return text


def _expect(value: Any, kind: type, name: str, path: str) -> None:
    if not isinstance(value, kind):
        raise _wrong_type(value, name, path)


def _wrong_type(value: Any, wanted: str, path: str) -> ServiceError:
    names = {bool: "BOOLEAN_VALUE", int: "NUMBER_VALUE", float: "NUMBER_VALUE", str: "STRING_VALUE"}
    names |= {dict: "OBJECT_VALUE", list: "ARRAY_VALUE", type(None): "NULL_VALUE"}
    return _unreadable(f"{names[type(value)]} cannot be converted to {wanted} at '{path}'.")


def _unreadable(sentence: str) -> ServiceError:
    return ServiceError(sentence, code="SerializationException")


def _refuse_constant(text: str) -> None:
    raise ValueError(text)


# ---- writing ---------------------------------------------------------------------------------------------------------


def _write(shape: Any, value: Any) -> Any:
    kind = shape.type_name
    if kind == "structure":
        unknown = value.keys() - shape.members.keys()
        if unknown:
            raise KeyError(f"{shape.name} has no member {', '.join(sorted(unknown))}")
        written = {}
        for name, member in shape.members.items():
            if value.get(name) is not None:
                written[member.serialization.get("name", name)] = _write(member, value[name])
        return written
    if kind == "list":
        return [_write(shape.member, item) for item in value]
    if kind == "map":
        return {key: _write(shape.value, item) for key, item in value.items()}
    if kind == "timestamp":
        return epoch(value)
    if kind == "blob":
        return base64.b64encode(value).decode()
    if kind == "string":
        return str(value)
    return value


def epoch(moment: datetime) -> int | float:
    """Seconds since 1970 to the millisecond, as the JSON services give times; Terraform takes numbers alone."""
    milliseconds = math.floor(moment.timestamp() * 1000)
    return milliseconds // 1000 if milliseconds % 1000 == 0 else milliseconds / 1000
