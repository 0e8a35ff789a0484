"""Import a repository from another server: the form, its progress, cancel and try again."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.audit.acts import current_act
from codeservices.errors import Conflict, InvalidInput, LimitExceeded, ServiceError
from codeservices.http import ConsoleRequest, is_partial
from repos.git.remote_errors import RemoteError
from repos.models import Import
from repos.remote import imports
from repos.remote.forms import ImportForm, SourceForm
from repos.views.shared import may, note_parameters


@require_http_methods(["GET", "POST"])
def repository_import(request: ConsoleRequest) -> HttpResponse:
    """A form for a repository that is filled from a URL; a wrong URL or password is told beside its field."""
    form = ImportForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        note_parameters(repositoryName=data["name"], url=data["url"])
        try:
            imports.start_import(
                request.principal,
                data["name"],
                data["description"],
                form.given(),
                becomes_mirror=data["becomes_mirror"],
            )
        except (Conflict, LimitExceeded, InvalidInput, RemoteError) as error:
            show_error(form, error)
        else:
            return redirect("repos:import", data["name"])
    return render(request, "repos/repository_import.html", {"form": form}, status=400 if form.errors else 200)


@require_GET
def import_status(request: ConsoleRequest, name: str) -> HttpResponse:
    """How far an import is; the page asks for the progress alone while it runs."""
    note_parameters(repositoryName=name)
    run = imports.import_of(request.principal, "codecommit:GetRepository", name)
    if not is_partial(request):
        return _page(request, run, SourceForm(stored=run))
    answer = render(request, "repos/_import_progress.html", {"run": run, "repository": run.repository})
    if run.is_over:
        answer["HX-Refresh"] = "true"  # what can be done now stands outside the fragment
    return answer


@require_POST
def import_cancel(request: ConsoleRequest, name: str) -> HttpResponse:
    """End it early."""
    note_parameters(repositoryName=name)
    imports.cancel(request.principal, name)
    messages.success(request, "The import is being cancelled; nothing of it is kept.")
    return redirect("repos:import", name)


@require_POST
def import_retry(request: ConsoleRequest, name: str) -> HttpResponse:
    """Try a failed or cancelled one again, perhaps from a corrected URL."""
    note_parameters(repositoryName=name)
    run = imports.import_of(request.principal, "codecommit:GitPush", name)
    form = SourceForm(request.POST, stored=run)
    if form.is_valid():
        note_parameters(url=form.cleaned_data["url"])
        try:
            imports.retry(request.principal, name, form.given())
        except (Conflict, InvalidInput, RemoteError) as error:
            show_error(form, error)
        else:
            return redirect("repos:import", name)
    return _page(request, run, form)


def show_error(form: SourceForm, error: ServiceError) -> None:
    """Put an error on its form, which is shown again, and tell the act that it failed."""
    form.add_service_error(error)
    act = current_act()
    if act is not None:
        act.fail(error)


def _page(request: ConsoleRequest, run: Import, form: SourceForm) -> HttpResponse:
    repository = run.repository
    context = {
        "repository": repository,
        "tab": "code",
        "run": run,
        "form": form,
        "may_change": may(request, repository, "codecommit:GitPush"),
        "may_delete": may(request, repository, "codecommit:DeleteRepository"),
    }
    return render(request, "repos/import.html", context, status=400 if form.errors else 200)
