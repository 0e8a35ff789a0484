"""How many git processes run at once in this web process, and who has to wait."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from django.conf import settings

from codeservices.places import RETRY_SECONDS, NoPlace, ProcessPlaces
from repos.git_http.answers import Answer

_places = ProcessPlaces(lambda: settings.GIT_CONCURRENCY)


class Busy(Answer):
    """No place is free, nor will one be soon."""

    def __init__(self) -> None:
        super().__init__(
            503,
            f"The server is busy with other git requests. Try again in {RETRY_SECONDS} seconds.",
            (b"retry-after", str(RETRY_SECONDS).encode()),
        )


@contextlib.asynccontextmanager
async def slot(holder: str) -> AsyncIterator[None]:
    """One of GIT_CONCURRENCY places of this process; raises a 503 Answer where none becomes free soon.

    Args:
        holder: For whom: the user or role.
    """
    places = _places.here()
    try:
        await places.take(holder)
    except NoPlace:
        raise Busy from None
    try:
        yield
    finally:
        places.put_back(holder)
