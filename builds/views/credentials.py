"""The credentials with which builds fetch from other git servers: list, import, delete."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from builds.source_forms import KIND_WORDS, SERVER_WORDS, CredentialForm
from builds.sources import credentials
from builds.views.shared import note
from codeservices.errors import InvalidInput
from codeservices.http import ConsoleRequest
from codeservices.iam.authorize import authorize, is_allowed


@require_http_methods(["GET", "POST"])
def credential_list(request: ConsoleRequest) -> HttpResponse:
    """What is stored, without the tokens, and the form that stores one."""
    principal = request.principal
    form = CredentialForm(request.POST or None)
    if request.method == "POST":
        if form.is_valid():
            note(serverType=form.cleaned_data["server_type"], authType=form.cleaned_data["auth_type"])
            try:
                stored = credentials.import_credentials(principal, form.members())
            except InvalidInput as error:
                form.add_error(None, f"{error.message} {error.hint}".strip())
            else:
                messages.success(request, f"The credentials for {stored.host or stored.server_type} are stored.")
                return redirect("builds:credential_list")
        found = credentials.list_credentials(principal) if is_allowed(principal, credentials.LIST, "*") else []
    else:
        found = credentials.list_credentials(principal)
    context = {
        "credentials": [(one, SERVER_WORDS[one.server_type], KIND_WORDS[one.auth_type]) for one in found],
        "form": form,
        "may_import": is_allowed(principal, credentials.IMPORT, "*"),
        "may_delete": is_allowed(principal, credentials.DELETE, "*"),
    }
    return render(request, "builds/credential_list.html", context, status=400 if form.errors else 200)


@require_POST
def credential_delete(request: ConsoleRequest) -> HttpResponse:
    """Forget the credentials whose server type was typed."""
    arn = request.POST.get("arn", "")
    note(arn=arn)
    if request.POST.get("confirm", "").lower() != arn.rpartition("/")[2]:
        authorize(request.principal, credentials.DELETE, "*")
        raise InvalidInput("Nothing was deleted: another server type was typed.", hint="Type it as the page shows it.")
    credentials.delete_credentials(request.principal, arn)
    messages.success(request, "The credentials are deleted. Builds that need them can't fetch their sources any more.")
    return redirect("builds:credential_list")
