"""A file's bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.http import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.views.decorators.http import require_safe

from codeservices.byte_ranges import ranged
from codeservices.http import ConsoleRequest, content_disposition
from repos.git import blob, content_type, refs, revspec
from repos.views.shared import opened, spec_of

# Enough of a file to tell its encoding by.
PROBE_BYTES: Final = 64 * 1024
_CHARSETS: Final = {"utf-8-sig": "utf-8", "latin-1": "iso-8859-1", "utf-16-le": "utf-16", "utf-16-be": "utf-16"}
_DOWNLOAD: Final = "application/octet-stream"
_SVG: Final = "image/svg+xml"


@require_safe
def raw(request: ConsoleRequest, name: str, spec: str) -> HttpResponseBase:
    """A file's bytes: as plain text or a picture to look at or as a download, never as anything that runs."""
    with opened(request, "codecommit:GetFile", name) as repository:
        at = revspec.resolve(repository.git, spec_of(request))
        found = blob.read(repository.git, at.oid, at.path, max_bytes=PROBE_BYTES)
    filename = refs.shown(at.path.rpartition("/")[2])
    kind = _content_type(request, found, filename)
    etag = f'"{found.oid}{"-svg" if kind == _SVG else ""}"'
    response = get_conditional_response(request, etag=etag) or ranged(
        request,
        lambda window: _part(blob.stream(repository.git, found.oid), window),
        etag=etag,
        size_bytes=found.size_bytes,
        content_type=kind,
    )
    response["ETag"] = etag
    response["Accept-Ranges"] = "bytes"
    is_inline = kind != _DOWNLOAD and "download" not in request.GET
    response["Content-Disposition"] = content_disposition(filename, inline=is_inline)
    # An SVG may bring its own styles; without scripts, plug-ins, forms and other files it is but a picture.
    style = " style-src 'unsafe-inline';" if kind == _SVG else ""
    response["Content-Security-Policy"] = f"default-src 'none';{style} sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "private, no-cache"  # the right to read it may end; the bytes of an oid never change
    patch_vary_headers(response, ["Sec-Fetch-Dest"])
    return response


def _content_type(request: ConsoleRequest, found: blob.Blob, filename: str) -> str:
    """Fixed types alone: what a browser draws without running anything in it, or nothing that it knows.

    An SVG is a picture only in the place of one: a browser that is led to it as a page gets its text.
    """
    if "download" in request.GET:
        return _DOWNLOAD
    known = content_type.of(found.head)
    if known is not None and known.image_type:
        return known.image_type
    if found.is_binary:
        return _DOWNLOAD
    if request.headers.get("Sec-Fetch-Dest") == "image" and content_type.is_svg(filename, found.head):
        return _SVG
    return f"text/plain; charset={_CHARSETS.get(found.encoding, found.encoding)}"


def _part(content: Iterator[bytes], window: range) -> Iterator[bytes]:
    """The bytes of a window; git can only be asked for all of a blob, so that those before are thrown away."""
    position = 0
    for piece in content:
        part = piece[max(0, window.start - position) : window.stop - position]
        position += len(piece)
        if part:
            yield part
        if position >= window.stop:
            return
