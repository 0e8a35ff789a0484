"""Several files from the person's own machine in one commit."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from codeservices.errors import InvalidInput, ServiceError
from codeservices.http import ConsoleRequest
from codeservices.iam.views.shared import tell
from repos.editing import edits, rules
from repos.editing.forms import CommitForm, UploadForm
from repos.git import paths, refs
from repos.git.tree_change import Put
from repos.views.committing import branch_of, check_may, check_name, on_branch, place_of, submit
from repos.views.shared import opened


@require_http_methods(["GET", "HEAD", "POST"])
def file_upload(request: ConsoleRequest, name: str, spec: str) -> HttpResponse:
    """Add files, or new versions of them, to a folder. Where scripts run, whole folders keep their names."""
    with opened(request, "codecommit:GetFile", name) as repository:
        at = on_branch(request, repository)
        posted = request.POST.get("base", "")

        def page(form: CommitForm, *, base: str = "", status: int = 200, **more: Any) -> HttpResponse:
            limits = {"max_files": rules.MAX_FILES, "max_file_bytes": rules.MAX_FILE_BYTES}
            context = place_of(request, repository, at) | limits | {"form": form, "base": base or posted or at.oid}
            return render(request, "repos/file_upload.html", context | more, status=status)

        check_may(request, repository, edits.CREATE_COMMIT, at.refname or "")
        if request.method != "POST":
            return page(UploadForm(initial={"folder": refs.shown(at.path)}, branch=branch_of(at)))
        if posted or at.oid:
            edits.check_base(repository, posted)
        form = UploadForm(request.POST, branch=branch_of(at))
        if not form.is_valid():
            return page(form, status=400)
        typed = form.cleaned_data["folder"].strip("/")
        folder = at.path if typed == refs.shown(at.path) else typed
        try:
            changes = _puts(request, folder)
            for one in changes:
                check_name(form, one.path)
        except ServiceError as error:
            tell(form, error)
            return page(form, status=error.status)
        return submit(request, repository, form, page, changes, edits.CREATE_COMMIT, folder)


def _puts(request: ConsoleRequest, folder: str) -> list[Put]:
    """The files of the form by their paths; the sizes are looked at before a byte is read."""
    files: list[UploadedFile] = request.FILES.getlist("uploads")
    # A browser sends the bare name of a file; the script adds the path that it has in a chosen folder.
    told = request.POST.getlist("paths")
    if not files:
        raise InvalidInput("Choose at least one file.", code="FileEntryRequiredException")
    total_bytes = 0
    found = []
    for index, file in enumerate(files):
        given = told[index] if len(told) == len(files) else ""
        path = paths.check(f"{folder}/{given or file.name}" if folder else given or file.name or "")
        size_bytes = file.size or 0
        total_bytes += size_bytes
        rules.check_sizes(path, size_bytes, total_bytes, rules.MAX_CONSOLE_BYTES)
        found.append((path, file))
    return [Put(path, file.read()) for path, file in found]
