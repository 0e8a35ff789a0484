"""The policy simulator: may this user do that, and which statement decides?"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from codeservices.http import ConsoleRequest
from codeservices.iam import authorize, users
from codeservices.iam.authorize import is_allowed
from codeservices.iam.forms.policies import SimulatorForm
from codeservices.iam.models import User
from codeservices.iam.views.shared import may_open, pretty


@require_GET
def simulator(request: ConsoleRequest) -> HttpResponse:
    """What may this user do? One question, and the statement that decides it."""
    form = SimulatorForm(request.GET if "user" in request.GET else None, initial={"user": request.principal.name})
    context: dict[str, Any] = {"form": form}
    if form.is_bound and form.is_valid():
        values = form.cleaned_data
        asked = users.user_for(request.principal, "iam:SimulatePrincipalPolicy", values["user"])
        decision = authorize.decide(asked.principal, values["action"], values["resource"])
        context |= {
            "asked": asked,
            "decision": decision,
            "statement": pretty(decision.statement) if decision.statement else "",
        }
    else:
        may_open(request, "iam:SimulatePrincipalPolicy", request.principal.arn)
    if is_allowed(request.principal, "iam:ListUsers", "*"):
        context["user_names"] = User.objects.values_list("name", flat=True)[:500]
    return render(request, "codeservices/simulator.html", context, status=400 if form.errors else 200)
