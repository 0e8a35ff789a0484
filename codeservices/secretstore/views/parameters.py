"""Parameters in the console: list, make one, one with its versions, its value on request, a new version, delete."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.errors import ServiceError
from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam.authorize import authorize, is_allowed
from codeservices.iam.principal import Principal
from codeservices.iam.views.shared import save_tags, tell
from codeservices.secretstore.forms import ParameterForm, ParameterValueForm
from codeservices.secretstore.models import Parameter, ParameterVersion
from codeservices.secretstore.parameters import labels, listing, reading, values, writing
from codeservices.secretstore.parameters.access import arn_of, parameter_for

PAGE = 50
_ACTIONS = ("PutParameter", "GetParameter", "DeleteParameter", "AddTagsToResource")


@require_GET
def parameter_list(request: ConsoleRequest) -> HttpResponse:
    """All parameters by name, without their values."""
    query = request.GET.get("q", "")[:256]
    filters = [listing.Filter("Name", "Contains", (query,))] if query else []
    rows = sorted(listing.describe_parameters(request.principal, filters), key=lambda one: one.parameter.name)
    context = {
        "page": Paginator(rows, PAGE).get_page(request.GET.get("page")),
        "query": query,
        "may_create": is_allowed(request.principal, "ssm:PutParameter", arn_of("*")),
    }
    return render(request, "secretstore/parameter_list.html", context)


@sensitive_post_parameters("value")
@require_http_methods(["GET", "POST"])
def parameter_create(request: ConsoleRequest) -> HttpResponse:
    """The form of a new parameter."""
    # Whoever may make none is told so, whatever is in the form.
    authorize(request.principal, "ssm:PutParameter", arn_of(request.POST.get("name", "").strip()[:1011] or "*"))
    form = ParameterForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        wanted = writing.Wanted(
            given["name"],
            given["value"],
            type=given["type"],
            description=given["description"],
            allowed_pattern=given["allowed_pattern"],
            tier=values.INTELLIGENT,
        )
        try:
            made = writing.put_parameter(request.principal, wanted)
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"The parameter {made.parameter.name} is made.")
            return redirect("secretstore:parameter", made.parameter.resource_name)
    return render(request, "secretstore/parameter_create.html", {"form": form}, status=400 if form.errors else 200)


@require_GET
def parameter(request: ConsoleRequest, name: str) -> HttpResponse:
    """One parameter with its versions, without their values."""
    found = parameter_for(request.principal, "ssm:GetParameterHistory", _full_name(name))
    return _page(request, found, ParameterValueForm(initial={"description": _current(found).description}))


@never_cache
@require_POST
def parameter_value(request: ConsoleRequest, name: str) -> HttpResponse:
    """The same page with the value of one version on it: read as GetParameter is, and recorded so."""
    full_name, number = _full_name(name), request.POST.get("version", "")
    asked = f"{full_name}:{number}" if number.isascii() and number.isdigit() else full_name
    found = reading.get_parameter(request.principal, asked).version
    shown = {"title": f"Value of version {found.number}", "value": values.value_of(found)}
    form = ParameterValueForm(initial={"description": found.description})
    return _page(request, found.parameter, form, shown=shown)


@sensitive_post_parameters("value")
@require_POST
def parameter_version_create(request: ConsoleRequest, name: str) -> HttpResponse:
    """A new value."""
    full_name = _full_name(name)
    found = parameter_for(request.principal, "ssm:PutParameter", full_name, {"ssm:Overwrite": "true"})
    form = ParameterValueForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        wanted = writing.Wanted(
            full_name,
            given["value"],
            description=given["description"] if _may(request.principal, found)["history"] else None,
            overwrite=True,
            tier=values.INTELLIGENT,
        )
        try:
            made = writing.put_parameter(request.principal, wanted)
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"Version {made.number} is the current one.")
            return redirect("secretstore:parameter", name)
    return _page(request, found, form, status=400)


@require_POST
def parameter_tags(request: ConsoleRequest, name: str) -> HttpResponse:
    """Save a parameter's tags."""
    who, full_name = request.principal, _full_name(name)
    current = parameter_for(who, "ssm:AddTagsToResource", full_name).tags
    save_tags(
        request,
        current,
        lambda tags: labels.tag(who, "Parameter", full_name, tags),
        lambda keys: labels.untag(who, "Parameter", full_name, keys),
    )
    return redirect("secretstore:parameter", name)


@require_POST
def parameter_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete a parameter with all its versions."""
    found = parameter_for(request.principal, "ssm:DeleteParameter", _full_name(name))
    confirmed(request, found.name)
    writing.delete_parameter(request.principal, found.name)
    messages.success(request, f"The parameter {found.name} is deleted.")
    return redirect("secretstore:parameter_list")


def _full_name(resource_name: str) -> str:
    """The name of the parameter whose address has its name without the slash it may begin with."""
    if "/" in resource_name:
        return f"/{resource_name}"
    found = Parameter.objects.filter(resource_name=resource_name).values_list("name", flat=True).first()
    return found or resource_name


def _current(found: Parameter) -> ParameterVersion:
    return found.versions.get(number=found.version)


def _page(
    request: ConsoleRequest,
    found: Parameter,
    form: ParameterValueForm,
    *,
    shown: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    may = _may(request.principal, found)
    if not may["history"]:  # who may read or write a value need not be allowed to know what else there is
        del form.fields["description"]
    context = {
        "parameter": found,
        "current": _current(found),
        "versions": found.versions.defer("sealed_value") if may["history"] else [],
        "may": may,
        "tags": sorted(found.tags.items()) if may["history"] else [],
        "form": form,
        "shown": shown,
    }
    return render(request, "secretstore/parameter.html", context, status=status)


def _may(principal: Principal, found: Parameter) -> dict[str, bool]:
    may = {name: is_allowed(principal, f"ssm:{name}", found.arn) for name in _ACTIONS}
    return {**may, "history": is_allowed(principal, "ssm:GetParameterHistory", found.arn)}
