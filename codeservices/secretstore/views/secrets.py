"""Secrets in the console: list, make one, one with its versions, its value on request, new values, delete, restore."""

from __future__ import annotations

import base64
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.errors import InvalidInput, ServiceError
from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam.authorize import authorize, is_allowed
from codeservices.iam.views.shared import save_tags, tell
from codeservices.secretstore.forms import (
    SecretDeleteForm,
    SecretDescriptionForm,
    SecretForm,
    SecretValueForm,
)
from codeservices.secretstore.models import Secret
from codeservices.secretstore.secrets_manager import deletion, reading, writing
from codeservices.secretstore.secrets_manager.access import arn_of, secret_for
from codeservices.secretstore.secrets_manager.versions import CURRENT, Content

PAGE = 50
_ACTIONS = (
    "DescribeSecret",
    "GetSecretValue",
    "PutSecretValue",
    "UpdateSecret",
    "DeleteSecret",
    "RestoreSecret",
    "TagResource",
)


@require_GET
def secret_list(request: ConsoleRequest) -> HttpResponse:
    """All secrets by name; those that are deleted and can be restored on request."""
    include_deleted = request.GET.get("deleted") == "yes"
    everything = reading.list_secrets(request.principal, include_deleted=True)
    query = request.GET.get("q", "")[:256]
    rows = [
        one for one in everything if (include_deleted or not one.is_deleted) and query.casefold() in one.name.casefold()
    ]
    context = {
        "page": Paginator(sorted(rows, key=lambda one: one.name), PAGE).get_page(request.GET.get("page")),
        "query": query,
        "include_deleted": include_deleted,
        "deleted_count": sum(one.is_deleted for one in everything),
        "may_create": is_allowed(request.principal, "secretsmanager:CreateSecret", arn_of("*")),
    }
    return render(request, "secretstore/secret_list.html", context)


@sensitive_post_parameters("value")
@require_http_methods(["GET", "POST"])
def secret_create(request: ConsoleRequest) -> HttpResponse:
    """The form of a new secret."""
    # Whoever may make none is told so, whatever is in the form.
    name = request.POST.get("name", "").strip()[:512] or "*"
    authorize(request.principal, "secretsmanager:CreateSecret", arn_of(name))
    form = SecretForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            made, _ = writing.create_secret(
                request.principal,
                given["name"],
                Content.of(given["value"], None),
                description=given["description"],
            )
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"The secret {made.name} is made.")
            return redirect("secretstore:secret", made.name)
    return render(request, "secretstore/secret_create.html", {"form": form}, status=400 if form.errors else 200)


@require_GET
def secret(request: ConsoleRequest, name: str) -> HttpResponse:
    """One secret with its versions, without their values."""
    return _page(request, _described(request, name))


@never_cache
@require_POST
def secret_value(request: ConsoleRequest, name: str) -> HttpResponse:
    """The same page with the value of one version on it: read as GetSecretValue is, and recorded so."""
    version, content = reading.get_secret_value(
        request.principal, name, version_id=request.POST.get("version", "")[:64]
    )
    text = base64.b64encode(content.data).decode() if content.is_binary else content.data.decode()
    title = "Current value" if CURRENT in version.stages else f"Value of version {version.version_id}"
    shown = {"title": title, "value": text, "is_binary": content.is_binary}
    return _page(request, version.secret, shown=shown)


@sensitive_post_parameters("value")
@require_POST
def secret_version_create(request: ConsoleRequest, name: str) -> HttpResponse:
    """A new value, which becomes the current one."""
    found = secret_for(request.principal, "secretsmanager:PutSecretValue", name)
    form = SecretValueForm(request.POST)
    if form.is_valid():
        try:
            writing.put_secret_value(request.principal, name, Content.of(form.cleaned_data["value"], None))
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, "The new value is the current one.")
            return redirect("secretstore:secret", name)
    return _page(request, found, form=form, status=400)


@require_POST
def secret_describe(request: ConsoleRequest, name: str) -> HttpResponse:
    """Save what a secret is for."""
    form = SecretDescriptionForm(request.POST)
    description = form.cleaned_data["description"] if form.is_valid() else request.POST.get("description", "")[:2048]
    writing.update_secret(request.principal, name, description=description)
    messages.success(request, "The description is saved.")
    return redirect("secretstore:secret", name)


@require_POST
def secret_tags(request: ConsoleRequest, name: str) -> HttpResponse:
    """Save a secret's tags."""
    who = request.principal
    current = secret_for(who, "secretsmanager:TagResource", name).tags
    save_tags(request, current, lambda tags: writing.tag(who, name, tags), lambda keys: writing.untag(who, name, keys))
    return redirect("secretstore:secret", name)


@require_POST
def secret_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Mark a secret for deletion, or remove it now."""
    found = secret_for(request.principal, "secretsmanager:DeleteSecret", name, allow_deleted=True)
    confirmed(request, found.name)
    form = SecretDeleteForm(request.POST)
    if not form.is_valid():
        raise InvalidInput("Say for how many days the secret can be restored: 30, 14, 7 or 0.")
    days: int = form.cleaned_data["days"]
    deletion.delete_secret(request.principal, found.arn, days=days or None, force=not days)
    if days:
        messages.success(request, f"The secret {name} is deleted; it can be restored for {days} days.")
        return redirect("secretstore:secret", name)
    messages.success(request, f"The secret {name} is deleted.")
    return redirect("secretstore:secret_list")


@require_POST
def secret_restore(request: ConsoleRequest, name: str) -> HttpResponse:
    """Take back a deletion."""
    deletion.restore_secret(request.principal, name)
    messages.success(request, f"The secret {name} is restored.")
    return redirect("secretstore:secret", name)


def _described(request: ConsoleRequest, name: str) -> Secret:
    return secret_for(request.principal, "secretsmanager:DescribeSecret", name, allow_deleted=True)


def _page(
    request: ConsoleRequest,
    found: Secret,
    *,
    form: SecretValueForm | None = None,
    shown: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    may = {name: is_allowed(request.principal, f"secretsmanager:{name}", found.arn) for name in _ACTIONS}
    # Who may read or write a value need not be allowed to know what else there is.
    is_described = may["DescribeSecret"]
    context = {
        "secret": found,
        "versions": found.versions.defer("sealed_value").order_by("-pk") if is_described else [],
        "may": may,
        "tags": sorted(found.tags.items()) if is_described else [],
        "may_tag": may["TagResource"] and is_described and not found.is_deleted,
        "form": form or SecretValueForm(),
        "description_form": SecretDescriptionForm(initial={"description": found.description}),
        "delete_form": SecretDeleteForm(),
        "shown": shown,
    }
    return render(request, "secretstore/secret.html", context, status=status)
