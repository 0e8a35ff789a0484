"""The mirror of a repository: what it follows, how its runs went, pause, resume, run now, remove."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from codeservices.errors import Conflict, InvalidInput
from codeservices.http import ConsoleRequest, is_partial
from codeservices.iam.principal import Principal
from repos.git import patterns, refs
from repos.git.remote_errors import RemoteError
from repos.models import Mirror, Repository
from repos.remote import mirrors
from repos.remote.forms import MirrorForm
from repos.views.imports import show_error
from repos.views.shared import may, note_parameters, opened

SHOWN_RUNS = 10
CHANGES: dict[str, tuple[Callable[[Principal, str], None], str]] = {
    "pause": (mirrors.pause, "The mirror is paused."),
    "resume": (mirrors.resume, "The mirror runs again."),
    "run": (mirrors.run_now, "A run is on its way."),
    "cancel": (mirrors.cancel_run, "The run is being cancelled."),
    "remove": (mirrors.remove, "The mirror is removed; what it brought stays."),
}


@require_http_methods(["GET", "POST"])
def mirror(request: ConsoleRequest, name: str) -> HttpResponse:
    """What a repository follows, with the last runs; a POST sets it up or changes it."""
    if request.method == "GET":
        with opened(request, "codecommit:GetRepository", name) as repository:
            followed = _mirror(repository)
            if is_partial(request) and followed is not None:
                context = _runs(repository, followed)
                answer = render(request, "repos/_mirror_runs.html", context)
                if not context["is_running"]:
                    answer["HX-Refresh"] = "true"  # what can be done now stands outside the fragment
                return answer
            return _page(request, repository, followed, _form(repository, followed))
    with opened(request, mirrors.ACTION, name) as repository:
        followed = _mirror(repository)
        form = MirrorForm(
            request.POST, mirror=followed, name=repository.name, overwrites=_overwrites(repository, followed)
        )
        if form.is_valid():
            note_parameters(url=form.cleaned_data["url"])
            try:
                mirrors.put_mirror(request.principal, name, form.given(), form.plan(), overwrites=form.overwrites)
            except (Conflict, InvalidInput, RemoteError) as error:
                show_error(form, error)
            else:
                messages.success(request, "The mirror is saved; a run is on its way.")
                return redirect("repos:mirror", name)
        return _page(request, repository, followed, form)


@require_POST
def mirror_change(request: ConsoleRequest, name: str) -> HttpResponse:
    """Pause, resume, run now, cancel the run, or remove; the form says which."""
    change, sentence = CHANGES.get(request.POST.get("change", ""), (None, ""))
    note_parameters(repositoryName=name, change=request.POST.get("change", "")[:20])
    if change is None:
        mirrors.mirror_of(request.principal, name)
        raise InvalidInput(f"A mirror's change is one of {', '.join(CHANGES)}.")
    change(request.principal, name)
    messages.success(request, sentence)
    return redirect("repos:mirror", name)


def _mirror(repository: Repository) -> Mirror | None:
    return Mirror.objects.filter(repository=repository).first()


def _overwrites(repository: Repository, followed: Mirror | None) -> bool:
    """Whether a new mirror would find branches or tags here."""
    if followed is not None:
        return False
    return any(patterns.matches(one, patterns.ALL_PATTERNS) for one in refs.all_refs(repository.git))


def _form(repository: Repository, followed: Mirror | None) -> MirrorForm:
    return MirrorForm(mirror=followed, name=repository.name, overwrites=_overwrites(repository, followed))


def _runs(repository: Repository, followed: Mirror) -> dict[str, object]:
    runs = list(followed.runs.all()[:SHOWN_RUNS])
    return {"repository": repository, "runs": runs, "is_running": bool(runs) and not runs[0].is_over}


def _page(request: ConsoleRequest, repository: Repository, followed: Mirror | None, form: MirrorForm) -> HttpResponse:
    context = {
        "repository": repository,
        "tab": "settings",
        "settings_tab": "mirror",
        "mirror": followed,
        "form": form,
        "may_change": may(request, repository, mirrors.ACTION),
        **(_runs(repository, followed) if followed is not None else {}),
    }
    return render(request, "repos/mirror.html", context, status=400 if form.errors else 200)
