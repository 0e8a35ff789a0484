"""Static files under ASGI: WhiteNoise finds, names and describes them, and they are answered whole.

A file response streams from a synchronous file, which Django would read to its end with a warning; ours are small.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile
from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """Answers /static/ with the file's bytes and WhiteNoise's headers."""

    @staticmethod
    def serve(static_file: StaticFile, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        content = b""
        if found.file is not None:
            with found.file as file:
                content = file.read()
        response = HttpResponse(content, status=int(found.status))
        del response["Content-Type"]
        for name, value in found.headers:
            response[name] = value
        return response


class HashedFiles(CompressedManifestStaticFilesStorage):
    """Files whose names hold a digest of their content. A page names a dozen, which are the same until a restart."""

    # Our scripts import one another by the names they have in static/; those of others are served as they are.
    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        ("js/*.js", ((r"""(?P<matched>from "(?P<url>\./[^"]+)";)""", """from "%(url)s";"""),)),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._known = cache(super().url)

    def url(self, name: str | None, force: bool = False) -> str:
        """The address of a file by the name it has in static/."""
        address: str = self._known(name, force)
        return address
