"""Fetch and authorize parameters, or raise. Every act is decided on the parameter's ARN before it is looked for."""

from __future__ import annotations

from django.conf import settings
from django.db.models import F, QuerySet

from codeservices.errors import NotFound
from codeservices.iam import arn, resource_tags
from codeservices.iam.authorize import Context, authorize
from codeservices.iam.principal import Principal
from codeservices.secretstore.models import Parameter, ParameterVersion
from codeservices.secretstore.parameters.names import Reference, reference


def arn_of(name: str) -> str:
    """The ARN of the parameter of that name."""
    return arn.parameter_arn(settings.REGION, settings.ACCOUNT_ID, name)


def tags_of_arn(resource: str) -> dict[str, str]:
    """The tags of the parameter with that ARN, for conditions of policies; none where there is none."""
    _, _, resource_name = arn.parse(resource).resource.partition("/")
    return dict(Parameter.objects.filter(resource_name=resource_name).values_list("tags", flat=True).first() or {})


def referred(text: str) -> Reference:
    """What a request names, as `names.reference`, in this account."""
    return reference(text, settings.ACCOUNT_ID)


def find(asked: Reference) -> Parameter | None:
    """The parameter of that name; decides nothing."""
    found = Parameter.objects.filter(resource_name=asked.resource_name).first()
    return found if found is not None and (asked.is_arn or found.name == asked.name) else None


def parameter_for(
    principal: Principal, action: str, asked: Reference | str, context: Context | None = None
) -> Parameter:
    """Authorize the action on the parameter's ARN, then give it.

    Raises:
        InvalidInput: No parameter can be called so.
        AccessDenied: Also for one that does not exist.
        NotFound: There is no such parameter; told only to those who may ask.
    """
    if isinstance(asked, str):
        asked = referred(asked)
    found = find(asked)
    if found is not None:
        resource_tags.remember(found.arn, found.tags)
    authorize(principal, action, arn_of(asked.name), context)
    if found is None:
        raise missing(asked.name)
    return found


def missing(name: str) -> NotFound:
    """The refusal of a parameter that does not exist."""
    return NotFound(f"There is no parameter called {name[:200]}.", code="ParameterNotFound")


def current_versions() -> QuerySet[ParameterVersion]:
    """The current version of every parameter, each with its parameter, in no order."""
    return ParameterVersion.objects.filter(number=F("parameter__version")).select_related("parameter").order_by()
