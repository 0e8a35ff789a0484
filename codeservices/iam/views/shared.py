"""What the pages of identities share."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.forms import BaseForm

from codeservices.audit.record import current_act
from codeservices.errors import AccessDenied, NotFound, ServiceError
from codeservices.http import ConsoleRequest
from codeservices.iam import arn, authorize
from codeservices.iam.authorize import is_allowed
from codeservices.iam.models import Policy


def may_open(request: ConsoleRequest, action: str, resource: str) -> None:
    """Refuse a form to those who could not send it; opening one is no act of its own and leaves no event."""
    if not is_allowed(request.principal, action, resource):
        authorize.authorize(request.principal, action, resource)


def answers(request: ConsoleRequest, resource: str, operations: tuple[str, ...]) -> dict[str, bool]:
    """Which of the IAM operations the person may do on the resource: decides which buttons are shown."""
    return {name: is_allowed(request.principal, f"iam:{name}", resource) for name in operations}


def chosen(request: ConsoleRequest, changes: dict[str, Any]) -> Any:
    """The function that the form's button names."""
    change = changes.get(request.POST.get("change", ""))
    if change is None:
        raise ServiceError(f"The form must say one of: {', '.join(changes)}.")
    return change


def tell(form: BaseForm, error: ServiceError) -> None:
    """Show a refusal on the form, where the entries are still at hand, and note it on the act; denials rise."""
    if isinstance(error, AccessDenied):
        raise error
    act = current_act()
    if act is not None:
        act.fail(error)
    form.add_error(None, f"{error.message} {error.hint}".strip())


def policy_arn_of(owner: str, name: str) -> str:
    """The ARN of a policy by whose it is ("aws" or "customer") and its name; the path is looked up."""
    row = Policy.objects.filter(is_aws_managed=owner == "aws", name=name).first()
    if row is not None:
        return row.arn
    if owner == "aws":
        raise NotFound(f"AWS manages no policy called {name}.", code="NoSuchEntity")
    return arn.policy_arn(settings.ACCOUNT_ID, "/", name)


def pretty(document: str) -> str:
    """A JSON document, indented."""
    return json.dumps(json.loads(document), indent=2, ensure_ascii=False)
