"""What the pages of identities share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.forms import BaseForm

from codeservices.audit.acts import current_act
from codeservices.errors import AccessDenied, InvalidInput, NotFound, ServiceError
from codeservices.http import ConsoleRequest
from codeservices.iam import arn, authorize
from codeservices.iam.authorize import is_allowed
from codeservices.iam.models import Policy

PAGE_ROWS = 50
# The operations on a user's keys and credentials, whose buttons one's own page and an administrator's show alike.
CREDENTIAL_ACTIONS = (
    "ListAccessKeys",
    "CreateAccessKey",
    "UpdateAccessKey",
    "DeleteAccessKey",
    "ListServiceSpecificCredentials",
    "CreateServiceSpecificCredential",
    "ResetServiceSpecificCredential",
    "UpdateServiceSpecificCredential",
    "DeleteServiceSpecificCredential",
    "ListSSHPublicKeys",
    "UploadSSHPublicKey",
    "UpdateSSHPublicKey",
    "DeleteSSHPublicKey",
)


def may_open(request: ConsoleRequest, action: str, resource: str) -> None:
    """Refuse a form to those who could not send it; opening one is no act of its own and leaves no event."""
    if not is_allowed(request.principal, action, resource):
        authorize.authorize(request.principal, action, resource)


def answers(request: ConsoleRequest, resource: str, operations: Iterable[str]) -> dict[str, bool]:
    """Which of the IAM operations the person may do on the resource: decides which buttons are shown."""
    return {name: is_allowed(request.principal, f"iam:{name}", resource) for name in operations}


def chosen(request: ConsoleRequest, changes: dict[str, Any]) -> Any:
    """The function that the form's button names."""
    change = changes.get(request.POST.get("change", ""))
    if change is None:
        raise ServiceError(f"The form must say one of: {', '.join(changes)}.")
    return change


def ticked(request: ConsoleRequest, field: str, what: str) -> list[str]:
    """The values that were ticked in a list; raises InvalidInput where none was."""
    values = request.POST.getlist(field)
    if not values:
        raise InvalidInput(f"Nothing was changed: tick at least one {what}.")
    return values


def tell(form: BaseForm, error: ServiceError) -> None:
    """Show a refusal on the form, where the entries are still at hand, and note it on the act; denials rise."""
    if isinstance(error, AccessDenied):
        raise error
    act = current_act()
    if act is not None:
        act.fail(error)
    form.add_error(None, f"{error.message} {error.hint}".strip())


def sent_tags(request: ConsoleRequest) -> dict[str, str]:
    """The tags of the form, row by row; rows without a key are left out. Raises InvalidInput for a key given twice."""
    found: dict[str, str] = {}
    for key, value in zip(request.POST.getlist("tag_key"), request.POST.getlist("tag_value"), strict=False):
        if key.strip() in found:
            raise InvalidInput(f"The tag “{key.strip()}” stands there twice; each key has one value.")
        if key.strip():
            found[key.strip()] = value.strip()
    return found


@transaction.atomic
def save_tags(
    request: ConsoleRequest,
    current: Mapping[str, str],
    tag: Callable[[dict[str, str]], None],
    untag: Callable[[list[str]], None],
) -> None:
    """Bring a thing's tags to what the form says, by the services that add and remove them."""
    wanted = sent_tags(request)
    gone = [key for key in current if key not in wanted]
    new = {key: value for key, value in wanted.items() if current.get(key) != value}
    if gone:
        untag(gone)
    if new or not gone:
        tag(new)
    messages.success(request, "The tags are saved.")


def policy_arn_of(owner: str, name: str) -> str:
    """The ARN of a policy by whose it is ("aws" or "customer") and its name; the path is looked up."""
    row = Policy.objects.filter(is_aws_managed=owner == "aws", name=name).first()
    if row is not None:
        return row.arn
    if owner == "aws":
        raise NotFound(f"AWS manages no policy called {name}.", code="NoSuchEntity")
    return arn.policy_arn(settings.ACCOUNT_ID, "/", name)
