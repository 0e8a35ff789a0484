"""Answers of HTTP that are no service's errors."""

from __future__ import annotations

from codeservices.errors import ServiceError

NO_CACHE = (
    (b"cache-control", b"no-cache, max-age=0, must-revalidate"),
    (b"expires", b"Fri, 01 Jan 1980 00:00:00 GMT"),
    (b"pragma", b"no-cache"),
)


class Answer(ServiceError):
    """A refusal in HTTP's terms: its sentence, status and headers."""

    def __init__(self, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message, status=status)
        self.headers = headers
