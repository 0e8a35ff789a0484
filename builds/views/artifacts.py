"""What a build left behind: list and download."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from builds.access import build_for
from builds.models import Artifact, Build
from builds.views.shared import in_steps
from codeservices import storage
from codeservices.errors import NotFound
from codeservices.http import ConsoleRequest, download
from codeservices.iam.authorize import authorize, is_allowed
from codeservices.iam.principal import Principal

READ_OBJECT = "s3:GetObject"
PIECE_BYTES = 256 * 1024


def object_arn(artifact: Artifact) -> str:
    """The ARN under which the object store gives the same bytes, so that one policy decides at both doors."""
    bucket = artifact.build.artifacts_config.get("location", "")
    has_bucket = not bucket or artifact.key.startswith(f"{bucket}/")
    return f"arn:aws:s3:::{artifact.key if has_bucket else f'{bucket}/{artifact.key}'}"


def with_rights(principal: Principal, build: Build) -> list[tuple[Artifact, bool]]:
    """A build's artifacts, each with whether the principal may download it."""
    artifacts = build.artifacts.select_related("build")
    return [(one, is_allowed(principal, READ_OBJECT, object_arn(one))) for one in artifacts]


@require_GET
def artifact_list(request: ConsoleRequest, name: str, number: int) -> HttpResponse:
    """The artifacts with their files and checksums."""
    build = build_for(request.principal, "codebuild:BatchGetBuilds", name, number)
    context = {"build": build, "artifacts": with_rights(request.principal, build)}
    return render(request, "builds/artifact_list.html", context)


@require_GET
def artifact_download(request: ConsoleRequest, name: str, number: int, pk: int) -> HttpResponseBase:
    """One artifact, as it was stored."""
    build = build_for(request.principal, "codebuild:BatchGetBuilds", name, number)
    artifact = build.artifacts.select_related("build").filter(pk=pk).first()
    if artifact is None:
        raise NotFound(f"{build} has no such artifact.", hint="The list of its artifacts has them all.")
    authorize(request.principal, READ_OBJECT, object_arn(artifact))
    try:
        pieces = _pieces(artifact.key)
        first = next(pieces, b"")
    except FileNotFoundError:
        raise NotFound(f"{artifact.name} is not in the object store any more.") from None
    filename = artifact.name.rpartition("/")[2]
    return download(in_steps(chain([first], pieces)), filename, size_bytes=artifact.size_bytes)


def _pieces(key: str) -> Iterator[bytes]:
    with storage.open_object(key) as file:
        while piece := file.read(PIECE_BYTES):
            yield piece
