"""The one decision: may this principal do this action on this resource?

Every door calls `authorize`: console views, API operations, git per ref, workers. It decides, notes the decision on the
act being audited, and raises AccessDenied with the statement that decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from django.db.models import Q, QuerySet
from django.utils import timezone

from codeservices.audit.record import current_act
from codeservices.errors import AccessDenied
from codeservices.iam import models, policy
from codeservices.iam.policy import Decision
from codeservices.iam.principal import Principal

Context = Mapping[str, str | Sequence[str]]


def authorize(principal: Principal, action: str, resource: str, context: Context | None = None) -> Decision:
    """Decide, or raise.

    Args:
        principal: Who asks.
        action: IAM action, "codecommit:GitPush".
        resource: The ARN acted on, or "*" for actions without one.
        context: More condition keys, such as {"codecommit:References": "refs/heads/main"}. The global keys (user name,
            source address, time, …) are added here.

    Raises:
        AccessDenied: Nothing allows it, or a statement denies it.
    """
    decision = decide(principal, action, resource, context)
    act = current_act()
    if act is not None:
        act.note(action, resource)
    if not decision.is_allowed:
        statement = decision.statement if decision.is_explicit_deny else None
        raise AccessDenied(principal.arn, action, resource, statement=statement)
    return decision


def is_allowed(principal: Principal, action: str, resource: str, context: Context | None = None) -> bool:
    """The same answer without raising or recording: to filter lists and to choose which buttons to show."""
    return decide(principal, action, resource, context).is_allowed


def decide(principal: Principal, action: str, resource: str, context: Context | None = None) -> Decision:
    """The decision with its statement; what the simulator shows."""
    if principal.is_anonymous:
        return Decision(False)
    if principal.kind == "service":
        # The server's own work (upkeep, time-outs) acts on nobody's behalf; it is recorded like all else.
        return Decision(True, source="service")
    return policy.evaluate(policies_of(principal), action, resource, global_context(principal, context))


def policies_of(principal: Principal) -> list[policy.Policy]:
    """Every compiled policy that applies to a principal: its own and its groups'; none for an inactive user.

    They are read once an act.
    """
    act = current_act()
    if act is not None and principal in act.policies:
        return act.policies[principal]
    if principal.user_pk is not None:
        mine = _of_user(principal.user_pk)
    elif principal.role_pk is not None:
        mine = _of_role(principal.role_pk)
    else:
        return []
    versions, inline = mine
    found = [_compiled(row.policy.arn, row.document) for row in versions.select_related("policy").order_by("policy_id")]
    found += [_compiled(row.source, row.document) for row in inline.select_related("user", "group", "role")]
    if act is not None:
        act.policies[principal] = found
    return found


Attached = tuple["QuerySet[models.PolicyVersion]", "QuerySet[models.InlinePolicy]"]


def _of_user(user_pk: int) -> Attached:
    user = models.User.objects.filter(pk=user_pk, is_active=True)
    groups = models.Group.objects.filter(users__in=user)
    attached = models.Policy.objects.filter(Q(users__in=user) | Q(groups__in=groups))
    return (
        models.PolicyVersion.objects.filter(is_default=True, policy__in=attached),
        models.InlinePolicy.objects.filter(Q(user__in=user) | Q(group__in=groups)),
    )


def _of_role(role_pk: int) -> Attached:
    return (
        models.PolicyVersion.objects.filter(is_default=True, policy__roles=role_pk),
        models.InlinePolicy.objects.filter(role=role_pk),
    )


def global_context(principal: Principal, extra: Context | None) -> dict[str, str | Sequence[str]]:
    """The global condition keys of a request, with the action's own keys added."""
    now = timezone.now()
    context: dict[str, str | Sequence[str]] = {
        "aws:PrincipalArn": principal.arn,
        "aws:PrincipalAccount": principal.account_id,
        "aws:PrincipalType": {"user": "User", "role": "AssumedRole"}.get(principal.kind, "Service"),
        "aws:userid": principal.principal_id,
        "aws:CurrentTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:EpochTime": str(int(now.timestamp())),
    }
    if principal.kind == "user":
        context["aws:username"] = principal.name
    for key, value in principal.tags:
        context[f"aws:PrincipalTag/{key}"] = value
    act = current_act()
    if act is not None:
        context["aws:SourceIp"] = act.info.source_ip
        context["aws:UserAgent"] = act.info.user_agent
        context["aws:SecureTransport"] = "true" if act.info.is_secure else "false"
        # As in IAM the key is missing where a long-term access key signed; a console session always carries it.
        if act.info.via == "console" or principal.is_mfa_authenticated:
            context["aws:MultiFactorAuthPresent"] = "true" if principal.is_mfa_authenticated else "false"
    context.update(extra or {})
    return context


@lru_cache(maxsize=4096)
def _compiled(source: str, document: str) -> policy.Policy:
    return policy.parse(document, source)
