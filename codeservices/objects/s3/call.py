"""What an operation of the S3 door is given, what it answers, and how it is found.

Source: Amazon S3 API Reference, "Common Request Headers", "Error Responses".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from codeservices.audit.acts import Act
from codeservices.errors import InvalidInput, ServiceError
from codeservices.iam.principal import Principal
from codeservices.objects.pieces import PieceReader, PieceWriter

XML = "application/xml"
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Call:
    """One authenticated request.

    Attributes:
        bucket, key: "" where the address has none.
        query: Sub-resources and parameters, each with its last value; those of a signature are left out.
        headers: By lower-case names.
        body: All of it, for operations with small ones.
        size_bytes: Of the content that comes, for operations that take it piece by piece.
        stated_hash: The signed x-amz-content-sha256.
        resource: The address as it came, for errors.
    """

    principal: Principal
    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    act: Act
    body: bytes = b""
    size_bytes: int = 0
    stated_hash: str = ""
    resource: str = ""

    @property
    def stated_sha256(self) -> str:
        """The SHA-256 that was signed of a body that comes plain, in hex; "" of all others."""
        return self.stated_hash if _HEX.fullmatch(self.stated_hash) else ""

    def number(self, name: str, default: int, maximum: int) -> int:
        """A whole number of the query from 0 on; greater ones count as `maximum`; raises InvalidArgument."""
        given = self.query.get(name, "")
        if not given:
            return default
        if not (given.isascii() and given.isdigit()) or len(given) > 10 or int(given) > 2**31 - 1:
            raise InvalidInput(f"Provided {name} not an integer or within integer range", code="InvalidArgument")
        return min(int(given), maximum)


@dataclass(frozen=True)
class Answer:
    """What is sent back.

    Attributes:
        reader: For objects: where their bytes come from, with the first one and their number. It is closed by the door.
    """

    status: int = 200
    content: bytes = b""
    content_type: str = XML
    headers: Mapping[str, str] = field(default_factory=dict)
    reader: PieceReader | None = None
    offset: int = 0
    length: int = 0


@dataclass(frozen=True)
class Receiving:
    """An operation that has agreed to take the body; `finish` is called with the trailers once it is written."""

    writer: PieceWriter
    finish: Callable[[Mapping[str, str]], Answer]


Handler = Callable[[Call], Answer]
ReceivingHandler = Callable[[Call], Receiving]


class Operation(NamedTuple):
    """One operation.

    Attributes:
        event_name: As CloudTrail names it.
        is_slow: It copies bytes, or touches many rows.
    """

    name: str
    event_name: str
    handler: Handler | None
    receiver: ReceivingHandler | None
    is_slow: bool


_operations: dict[str, Operation] = {}


def operation(name: str, *, event_name: str = "", is_slow: bool = False) -> Callable[[Handler], Handler]:
    """Register the decorated function as an operation."""

    def register(handler: Handler) -> Handler:
        _operations[name] = Operation(name, event_name or name, handler, None, is_slow)
        return handler

    return register


def receiving(name: str) -> Callable[[ReceivingHandler], ReceivingHandler]:
    """Register the decorated function as an operation that takes its body piece by piece."""

    def register(receiver: ReceivingHandler) -> ReceivingHandler:
        _operations[name] = Operation(name, name, None, receiver, False)
        return receiver

    return register


def registered() -> list[str]:
    """Every operation that is served, sorted."""
    return sorted(_operations)


def find(name: str) -> Operation:
    """The operation; raises ServiceError NotImplemented where it is not served."""
    if name not in _operations:
        raise not_implemented(f"{name or 'This request'} is not available on this server.")
    return _operations[name]


def not_implemented(sentence: str) -> ServiceError:
    """The refusal of what S3 has and this server has not; the sentence says which part that is."""
    return ServiceError(
        "A header or query you provided implies functionality that is not implemented.",
        code="NotImplemented",
        status=501,
        hint=sentence,
    )
