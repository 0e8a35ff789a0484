"""Files edited, added and deleted in the browser, each as a commit on a branch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from codeservices.errors import InvalidInput, ServiceError
from codeservices.http import ConsoleRequest
from codeservices.iam.views.shared import tell
from repos.editing import edits, rules, text_file
from repos.editing.forms import CommitForm, FileForm
from repos.editing.text_file import NotEditable, TextFile
from repos.editing.tips import NothingChanged
from repos.git import blob, objects, refs, tree
from repos.git.tree_change import Change, Copy, Delete, Put
from repos.models import Repository
from repos.views.committing import branch_of, check_may, check_name, on_branch, place_of, submit
from repos.views.shared import opened

both = require_http_methods(["GET", "HEAD", "POST"])


@both
def file_edit(request: ConsoleRequest, name: str, spec: str) -> HttpResponse:
    """Change a file's text or its path. Of a file that is no text the path alone."""
    with opened(request, "codecommit:GetFile", name) as repository:
        at = on_branch(request, repository)
        branch = branch_of(at)

        def page(form: CommitForm, *, base: str = "", status: int = 200, **more: Any) -> HttpResponse:
            if not refusal:
                _suggest(form, Put(at.path, b""))
            context = place_of(request, repository, at) | {
                "form": form,
                "base": base or posted or at.oid,
                "refusal": refusal,
            }
            return render(request, "repos/file_edit.html", context | more, status=status)

        posted = request.POST.get("base", "")
        check_may(request, repository, edits.PUT_FILE, at.refname or "")
        entry: tree.Entry | None
        if request.method != "POST":
            entry, text, refusal = _original(repository, at.oid, at.path)
            initial = {"path": refs.shown(at.path), "content": text.text if text else ""}
            form = FileForm(initial=initial, branch=branch)
            return page(form)
        edits.check_base(repository, posted)
        form = FileForm(request.POST, branch=branch)
        try:
            entry, text, refusal = _original(repository, posted, at.path)
        except tree.PathNotFound:  # somebody deleted it, and the person was shown that
            entry, text, refusal = None, text_file.NEW, ""
        if not form.is_valid():
            return page(form, status=400)
        typed = form.cleaned_data["path"]
        path = at.path if typed == refs.shown(at.path) else typed
        try:
            if path != at.path:
                check_name(form, path)
            changes = _changes(repository, entry, text, at.path, path, form.cleaned_data["content"])
        except ServiceError as error:
            tell(form, error)
            return page(form, status=error.status)
        is_put = len(changes) == 1 and isinstance(changes[0], Put)
        return submit(request, repository, form, page, changes, edits.PUT_FILE if is_put else edits.CREATE_COMMIT, path)


@both
def file_create(request: ConsoleRequest, name: str, spec: str) -> HttpResponse:
    """Add a file; its folders come with it."""
    with opened(request, "codecommit:GetFile", name) as repository:
        at = on_branch(request, repository)

        def page(form: CommitForm, *, base: str = "", status: int = 200, **more: Any) -> HttpResponse:
            context = place_of(request, repository, at) | {
                "form": form,
                "base": base or posted or at.oid,
                "is_new": True,
            }
            return render(request, "repos/file_edit.html", context | more, status=status)

        posted = request.POST.get("base", "")
        check_may(request, repository, edits.PUT_FILE, at.refname or "")
        if request.method != "POST":
            return page(FileForm(initial={"path": f"{refs.shown(at.path)}/" if at.path else ""}, branch=branch_of(at)))
        if posted or at.oid:
            edits.check_base(repository, posted)
        form = FileForm(request.POST, branch=branch_of(at))
        if not form.is_valid():
            return page(form, status=400)
        path = form.cleaned_data["path"]
        if at.path and path.startswith(f"{refs.shown(at.path)}/"):  # a folder whose name can't be typed
            path = at.path + path[len(refs.shown(at.path)) :]
        try:
            check_name(form, path)
            _check_new(repository, posted, path, is_seen="theirs_seen" in request.POST)
            content = text_file.NEW.changed(form.cleaned_data["content"])
        except ServiceError as error:
            tell(form, error)
            return page(form, status=error.status)
        return submit(request, repository, form, page, [Put(path, content)], edits.PUT_FILE, path)


@both
def file_delete(request: ConsoleRequest, name: str, spec: str) -> HttpResponse:
    """Delete a file, after a page that asks."""
    with opened(request, "codecommit:GetFile", name) as repository:
        at = on_branch(request, repository)
        posted = request.POST.get("base", "")

        def page(form: CommitForm, *, base: str = "", status: int = 200, **more: Any) -> HttpResponse:
            _suggest(form, Delete(at.path))
            context = place_of(request, repository, at) | {"form": form, "base": base or posted or at.oid}
            return render(request, "repos/file_delete.html", context | more, status=status)

        check_may(request, repository, edits.DELETE_FILE, at.refname or "")
        if request.method != "POST":
            blob.locate(repository.git, at.oid, at.path)
            return page(CommitForm(branch=branch_of(at)))
        edits.check_base(repository, posted)
        form = CommitForm(request.POST, branch=branch_of(at))
        if not form.is_valid():
            return page(form, status=400)
        return submit(
            request,
            repository,
            form,
            page,
            [Delete(at.path)],
            edits.DELETE_FILE,
            _folder_left(repository, posted, at.path),
        )


def _suggest(form: CommitForm, change: Change) -> None:
    """Show the message that a commit gets where none is typed."""
    form.fields["message"].widget.attrs["placeholder"] = rules.default_message([change])


def _original(repository: Repository, oid: str, path: str) -> tuple[tree.Entry, TextFile | None, str]:
    """A file as it is: its entry, its text, or why that is not edited here."""
    entry = blob.locate(repository.git, oid, path)
    if entry.kind == "symlink":
        return entry, None, "This is a symbolic link; where it leads is changed in a clone."
    found = blob.read(repository.git, oid, path, max_bytes=text_file.MAX_EDITED_BYTES)
    if found.lfs is not None:
        return entry, None, "This is a git LFS pointer: its content is kept outside of git and is changed in a clone."
    if found.is_truncated:
        most = text_file.MAX_EDITED_BYTES
        return entry, None, f"This file has {found.size_bytes:,} bytes; files up to {most:,} are edited here."
    try:
        return entry, text_file.opened(objects.read(repository.git, entry.oid)[1]), ""
    except NotEditable as error:
        return entry, None, f"{error.message} {error.hint}".strip()


def _changes(
    repository: Repository, entry: tree.Entry | None, text: TextFile | None, old_path: str, path: str, submitted: str
) -> Sequence[Change]:
    """What the form asks for: another text, another path, or both."""
    if text is None:
        content, is_same = b"", True
    else:
        content = text.changed(submitted)
        is_same = entry is not None and content == objects.read(repository.git, entry.oid)[1]
    if path == old_path:
        if is_same:
            raise NothingChanged("Nothing is changed yet.")
        return [Put(path, content)]
    if entry is None:
        return [Put(path, content)]
    if is_same:
        return [Copy(path, old_path, is_move=True)]
    return [Delete(old_path), Put(path, content, entry.mode)]


def _check_new(repository: Repository, base_oid: str, path: str, *, is_seen: bool) -> None:
    """A new file takes no other's place, unless its content was shown as a conflict."""
    if not base_oid or is_seen:
        return
    try:
        there = tree.entry(repository.git, base_oid, path)
    except tree.PathNotFound:
        return
    if there.kind != "tree":
        raise InvalidInput(
            f"There is a file “{refs.shown(path)}” already.", hint="Open it to edit it, or choose another name."
        )


def _folder_left(repository: Repository, base_oid: str, path: str) -> str:
    """The nearest folder above a file that still holds something without it."""
    folder = path.rpartition("/")[0]
    while folder and len(tree.entries(repository.git, base_oid, folder)) == 1:
        folder = folder.rpartition("/")[0]
    return folder
