"""What a build left behind: list, look into, and download."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from builds.access import build_for
from builds.artifacts import reading
from builds.artifacts.reading import PIECE_BYTES, Listing
from builds.models import Artifact, Build
from builds.views.shared import in_steps
from codeservices.errors import NotFound
from codeservices.http import ConsoleRequest, download, is_partial
from codeservices.iam.authorize import authorize, is_allowed
from codeservices.iam.principal import Principal
from codeservices.objects.services import open_object

READ_OBJECT = "s3:GetObject"


@dataclass(frozen=True)
class Shown:
    """An artifact on a page.

    Attributes:
        listing: One folder of it; None where it is not in the object store any more, and `problem` says why.
    """

    artifact: Artifact
    may_download: bool
    listing: Listing | None = None
    problem: NotFound | None = None


def with_rights(principal: Principal, build: Build) -> list[tuple[Artifact, bool]]:
    """A build's artifacts, each with whether the principal may download it."""
    return [(one, _may_download(principal, one)) for one in build.artifacts.all()]


@require_GET
def artifact_list(request: ConsoleRequest, name: str, number: int) -> HttpResponse:
    """The artifacts with their files and checksums."""
    build = build_for(request.principal, "codebuild:BatchGetBuilds", name, number)
    context = {"build": build, "shown": [_shown(request.principal, one) for one in build.artifacts.all()]}
    return render(request, "builds/artifact_list.html", context)


@require_GET
def artifact_folder(request: ConsoleRequest, name: str, number: int, pk: int, path: str) -> HttpResponse:
    """One folder of an artifact; htmx asks for its rows alone."""
    build = build_for(request.principal, "codebuild:BatchGetBuilds", name, number)
    artifact = _artifact(build, pk)
    listing = reading.listing(artifact, path)
    shown = Shown(artifact, _may_download(request.principal, artifact), listing)
    if is_partial(request):
        return render(request, "builds/_artifact_files.html", {"build": build, "one": shown})
    return render(request, "builds/artifact_list.html", {"build": build, "shown": [shown]})


@require_GET
def artifact_download(request: ConsoleRequest, name: str, number: int, pk: int) -> HttpResponseBase:
    """One artifact: the ZIP as it was stored, or its files as one."""
    artifact = _artifact(build_for(request.principal, "codebuild:BatchGetBuilds", name, number), pk)
    filename = artifact.name.rstrip("/").rpartition("/")[2] or artifact.build.project_name
    filename = filename if filename.lower().endswith(".zip") else f"{filename}.zip"
    if not artifact.is_zip:
        for arn in reading.arns(artifact):
            authorize(request.principal, READ_OBJECT, arn)
        return download(in_steps(reading.as_zip(artifact)), filename, content_type="application/zip")
    size_bytes, content = _opened(request.principal, artifact)
    return download(in_steps(content), filename, size_bytes=size_bytes)


@require_GET
def artifact_file(request: ConsoleRequest, name: str, number: int, pk: int, path: str) -> HttpResponseBase:
    """One file of an artifact."""
    artifact = _artifact(build_for(request.principal, "codebuild:BatchGetBuilds", name, number), pk)
    filename = path.rpartition("/")[2]
    if artifact.is_zip:
        authorize(request.principal, READ_OBJECT, artifact.arn)
        size_bytes, content = reading.file_of_zip(artifact, path)
        return download(in_steps(content), filename, size_bytes=size_bytes)
    size_bytes, content = _opened(request.principal, artifact, path)
    return download(in_steps(content), filename, size_bytes=size_bytes)


def _artifact(build: Build, pk: int) -> Artifact:
    artifact = build.artifacts.select_related("build").filter(pk=pk).first()
    if artifact is None:
        raise NotFound(f"{build} has no such artifact.", hint="The list of its artifacts has them all.")
    return artifact


def _shown(principal: Principal, artifact: Artifact) -> Shown:
    may_download = _may_download(principal, artifact)
    try:
        return Shown(artifact, may_download, reading.listing(artifact))
    except NotFound as error:
        return Shown(artifact, False, problem=error)


def _may_download(principal: Principal, artifact: Artifact) -> bool:
    """Of files that lie by themselves, whether one may have those of the whole folder."""
    arn = artifact.arn if artifact.is_zip else f"{artifact.arn}/*"
    return is_allowed(principal, READ_OBJECT, arn)


def _opened(principal: Principal, artifact: Artifact, path: str = "") -> tuple[int, Iterator[bytes]]:
    """The size and the bytes of the object that holds an artifact, or one file of it."""
    try:
        stored, file = open_object(principal, artifact.bucket, reading.object_key(artifact, path))
    except NotFound:
        raise reading.gone(artifact) from None
    try:
        reading.check_stored(artifact, stored, path)
    except NotFound:
        file.close()
        raise

    def pieces() -> Iterator[bytes]:
        with file:
            while piece := file.read(PIECE_BYTES):
                yield piece

    return stored.size_bytes, pieces()
