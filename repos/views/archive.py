"""A tree or a folder as one file to download."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from django.http import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from codeservices.errors import NotFound
from codeservices.http import ConsoleRequest, download
from repos.git import archive as git_archive
from repos.git import refs, revspec, tree
from repos.views import making
from repos.views.shared import also, note_parameters, opened, spec_of

# A folder's name that every system and every unpacker takes as it is.
_ODD: Final = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME: Final = 120


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
                content = making.in_place(request.principal.arn, made)
            response = download(content, f"{stem}.{form}", content_type=git_archive.CONTENT_TYPES[form])
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response


def _form_of(spec: str) -> tuple[str, git_archive.Format]:
    """The revision and folder, and the format that the address ends with."""
    for form in git_archive.CONTENT_TYPES:
        if spec.endswith(f".{form}"):
            return spec.removesuffix(f".{form}"), form
    raise NotFound(f"“{refs.shown(spec)}” is no archive.", hint="The address of one ends with .zip or .tar.gz.")


def _name(text: str) -> str:
    """A name for a file or folder on any system."""
    return _ODD.sub("-", text).strip(".-")[:_MAX_NAME] or "archive"
