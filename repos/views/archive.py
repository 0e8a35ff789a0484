"""A tree or a folder as one file to download."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Final

from django.http import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from codeservices.errors import LimitExceeded, NotFound
from codeservices.http import ConsoleRequest, download
from repos.git import archive as git_archive
from repos.git import refs, revspec, tree
from repos.views.shared import also, note_parameters, opened, spec_of

# An archive of a large tree keeps a processor busy for seconds.
MAX_RUNNING: Final = 6
MAX_RUNNING_EACH: Final = 2
# A folder's name that every system and every unpacker takes as it is.
_ODD: Final = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME: Final = 120


class TooManyArchives(LimitExceeded):
    """Others of this person's, or of everybody's, must end first."""

    code = "ThrottlingException"
    status = 429


class Places:
    """How many archives this process makes at once, in all and for each person."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()

    @contextmanager
    def taken(self, holder: str) -> Iterator[None]:
        """Hold a place; raises TooManyArchives."""
        with self._lock:
            if self._held[holder] >= MAX_RUNNING_EACH:
                raise TooManyArchives(
                    f"{MAX_RUNNING_EACH} archives are being made for you already.", hint="Wait until one is complete."
                )
            if self._held.total() >= MAX_RUNNING:
                raise TooManyArchives("The server is busy making other archives.", hint="Try again in a minute.")
            self._held[holder] += 1
        try:
            yield
        finally:
            with self._lock:
                self._held[holder] -= 1
                if not self._held[holder]:
                    del self._held[holder]


places = Places()


@require_safe
def archive(request: ConsoleRequest, name: str, spec: str) -> HttpResponseBase:
    """ "REVISION.zip", "REVISION/FOLDER.tar.gz": all that one may also read folder by folder and file by file."""
    with opened(request, "codecommit:GetFolder", name) as repository:
        also(request, repository, "codecommit:GetFile")
        spec, form = _form_of(spec_of(request))
        at = revspec.resolve(repository.git, spec)
        note_parameters(commitSpecifier=refs.escaped(at.name), folderPath=refs.escaped(f"/{at.path}"), archive=form)
        if tree.entry(repository.git, at.oid, at.path).kind != "tree":
            raise tree.PathNotFound(
                f"“{refs.shown(at.path)}” is no folder.", code="FolderDoesNotExistException", hint="Download the file."
            )
        stem = _name("-".join(part for part in (name, at.name, at.path) if part))
        etag = f'"{at.oid}-{_name(at.path)}-{form}"'
        response: HttpResponseBase | None = get_conditional_response(request, etag=etag)
        if response is None:
            prefix = _name(f"{name}-{at.name}")
            content: Iterator[bytes] = iter(())
            if request.method == "GET":
                made = git_archive.stream(repository.git, at.oid, at.path, form, prefix=prefix)
                content = _Begun(_in_place(request.principal.arn, made))
            response = download(content, f"{stem}.{form}", content_type=git_archive.CONTENT_TYPES[form])
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response


class _Begun:
    """An iterator whose first part is there before an answer is promised, and that the response closes."""

    def __init__(self, parts: Generator[bytes, None, None]) -> None:
        self._parts = parts
        self._first: bytes | None = next(parts)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._first is None:
            return next(self._parts)
        first, self._first = self._first, None
        return first

    def close(self) -> None:
        self._parts.close()


def _in_place(holder: str, content: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    with places.taken(holder), closing(content):
        yield from content


def _form_of(spec: str) -> tuple[str, git_archive.Format]:
    """The revision and folder, and the format that the address ends with."""
    for form in git_archive.CONTENT_TYPES:
        if spec.endswith(f".{form}"):
            return spec.removesuffix(f".{form}"), form
    raise NotFound(f"“{refs.shown(spec)}” is no archive.", hint="The address of one ends with .zip or .tar.gz.")


def _name(text: str) -> str:
    """A name for a file or folder on any system."""
    return _ODD.sub("-", text).strip(".-")[:_MAX_NAME] or "archive"
