"""A file's bytes."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_GET

from codeservices.http import ChunkedResponse, ConsoleRequest, content_disposition, download
from repos.git import blob, refs, revspec
from repos.views.shared import opened, spec_of

# Enough of a file to tell its encoding by.
PROBE_BYTES = 64 * 1024
_CHARSETS = {"utf-8-sig": "utf-8", "latin-1": "iso-8859-1", "utf-16-le": "utf-16", "utf-16-be": "utf-16"}


@require_GET
def raw(request: ConsoleRequest, name: str, spec: str) -> HttpResponseBase:
    """A file's bytes: as plain text to read or as a download, never as anything that a browser would run."""
    with opened(request, "codecommit:GetFile", name) as repository:
        at = revspec.resolve(repository.git, spec_of(request))
        found = blob.read(repository.git, at.oid, at.path, max_bytes=PROBE_BYTES)
    etag = f'"{found.oid}"'
    unchanged = get_conditional_response(request, etag=etag)
    if unchanged is not None:
        return unchanged
    filename = refs.shown(at.path.rpartition("/")[2])
    content = blob.stream(repository.git, found.oid)
    if found.is_binary or "download" in request.GET:
        response = download(content, filename, size_bytes=found.size_bytes)
    else:
        charset = _CHARSETS.get(found.encoding, found.encoding)
        response = ChunkedResponse(content, content_type=f"text/plain; charset={charset}")
        response["Content-Disposition"] = content_disposition(filename, inline=True)
        response["Content-Length"] = str(found.size_bytes)
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response["X-Content-Type-Options"] = "nosniff"
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"  # the right to read it may end; the bytes of an oid never change
    return response
