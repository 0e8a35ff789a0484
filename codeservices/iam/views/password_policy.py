"""The account's password policy: read it, set it, go back to none."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from codeservices.errors import NotFound, ServiceError
from codeservices.http import ConsoleRequest
from codeservices.iam import password_policy as service
from codeservices.iam.authorize import is_allowed
from codeservices.iam.forms.sign_in import PasswordPolicyForm
from codeservices.iam.views.shared import may_open, tell


@require_http_methods(["GET", "POST"])
def password_policy(request: ConsoleRequest) -> HttpResponse:
    """The policy in force, as a form for those who may change it."""
    is_set = True
    if request.method == "POST":
        form = PasswordPolicyForm(request.POST)
        if not form.is_valid():
            may_open(request, "iam:UpdateAccountPasswordPolicy", "*")
        else:
            try:
                service.update_policy(request.principal, **form.cleaned_data)
            except ServiceError as error:
                tell(form, error)
            else:
                messages.success(request, "The password policy is saved. It holds for every password set from now on.")
                return redirect("iam:password_policy")
    else:
        try:
            policy = service.get_policy(request.principal)
        except NotFound:
            policy, is_set = service.current(), False
        form = PasswordPolicyForm(instance=policy)
    context = {
        "form": form,
        "is_set": is_set,
        "may_update": is_allowed(request.principal, "iam:UpdateAccountPasswordPolicy", "*"),
        "may_delete": is_allowed(request.principal, "iam:DeleteAccountPasswordPolicy", "*"),
    }
    return render(request, "codeservices/password_policy.html", context, status=400 if form.errors else 200)


@require_POST
def password_policy_delete(request: ConsoleRequest) -> HttpResponse:
    """Go back to the product's own rules."""
    service.delete_policy(request.principal)
    messages.success(request, "No password policy is set any more; the product's own rules hold.")
    return redirect("iam:password_policy")
