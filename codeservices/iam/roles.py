"""What may be done to roles. Console and API call these same functions."""

from __future__ import annotations

from django.conf import settings
from django.db.models import QuerySet

from codeservices.errors import NotFound
from codeservices.iam import arn, rules
from codeservices.iam.authorize import Context, authorize
from codeservices.iam.models import Role
from codeservices.iam.principal import Principal


def list_roles(principal: Principal) -> QuerySet[Role]:
    authorize(principal, "iam:ListRoles", "*")
    return Role.objects.order_by("name")


def role_for(principal: Principal, action: str, name: str, context: Context | None = None) -> Role:
    """Authorize `action` on the role's ARN, then fetch; a missing role is told only to those who may ask."""
    role = Role.objects.filter(name__iexact=name).first()
    rules.authorize_row(principal, action, role, arn.role_arn(settings.ACCOUNT_ID, "/", name), context)
    if role is None:
        raise NotFound(f"The role with name {name} cannot be found.", code="NoSuchEntity")
    return role
