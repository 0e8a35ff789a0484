"""The one decision: may this principal do this action on this resource?

Every door calls `authorize`: console views, API operations, git per ref, workers. It decides, notes the decision on the
act being audited, and raises AccessDenied with the statement that decided.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, Sequence

from django.conf import settings
from django.utils import timezone

from codeservices.audit import record
from codeservices.audit.acts import current_act, is_read
from codeservices.errors import AccessDenied
from codeservices.iam import applied, policy, resource_tags
from codeservices.iam.policy import Decision
from codeservices.iam.principal import Principal

Context = Mapping[str, str | Sequence[str]]

_TIME = "%Y-%m-%dT%H:%M:%SZ"


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
    note(action, resource)
    if not decision.is_allowed:
        raise AccessDenied(principal.arn, action, resource, decision)
    begin(action)
    return decision


def begin(action: str) -> None:
    """Write down that an allowed act is about to change something: nothing is changed that is not recorded first."""
    act = current_act()
    if act is not None and not is_read(action.partition(":")[2]):
        record.begin(act)


def note(action: str, resource: str) -> None:
    """Name the act that is under way, as `authorize` does, where a decision has rules of its own (sts:AssumeRole)."""
    act = current_act()
    if act is not None:
        act.note(action, resource)


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
    keys = global_context(principal, context, resource)
    return policy.evaluate(policies_of(principal), action, resource, keys, limits_of(principal))


def limits_of(principal: Principal) -> tuple[policy.Limit, ...]:
    """What must allow besides the principal's own policies: the session policies of temporary credentials."""
    if not principal.session_policies:
        return ()
    documents = tuple(policy.compiled(document, "session policy") for document in principal.session_policies)
    return (policy.Limit("session policy", documents),)


def policies_of(principal: Principal) -> list[policy.Policy]:
    """Every compiled policy that applies to a principal: its own and its groups'; none for an inactive user.

    They are read once an act.
    """
    act = current_act()
    if act is not None and principal in act.policies:
        return act.policies[principal]
    if principal.user_pk is not None:
        documents = applied.of_user(principal.user_pk)
    elif principal.role_pk is not None:
        documents = applied.of_role(principal.role_pk)
    else:
        return []
    found = [policy.compiled(document, source) for document, source in documents]
    if act is not None:
        act.policies[principal] = found
    return found


def global_context(principal: Principal, extra: Context | None, resource: str = "") -> Context:
    """The global condition keys of a request, with the resource's tags and the action's own keys added.

    They are worked out when the first condition asks for one, and most decisions ask for none.

    Source: IAM User Guide, "AWS global condition context keys".
    """
    return _RequestContext(principal, extra, resource)


class _RequestContext(Mapping[str, "str | Sequence[str]"]):
    """Condition keys that are worked out at the first look."""

    __slots__ = ("_extra", "_keys", "_principal", "_resource")

    def __init__(self, principal: Principal, extra: Context | None, resource: str) -> None:
        self._principal = principal
        self._extra = extra
        self._resource = resource
        self._keys: dict[str, str | Sequence[str]] | None = None

    def __getitem__(self, key: str) -> str | Sequence[str]:
        return self._all()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def items(self) -> ItemsView[str, str | Sequence[str]]:
        return self._all().items()  # the mixin's would look up every key again

    def _all(self) -> dict[str, str | Sequence[str]]:
        if self._keys is None:
            common, tags = _common_keys(self._principal), resource_tags.conditions(self._resource)
            self._keys = {**common, **tags, **(self._extra or {})} if tags or self._extra else common
        return self._keys


def _common_keys(principal: Principal) -> dict[str, str | Sequence[str]]:
    """What is the same for every decision of an act, its time included."""
    act = current_act()
    if act is None:
        return {**_of_principal(principal), **_of_request(principal)}
    if principal not in act.condition_keys:
        act.condition_keys[principal] = {**_of_principal(principal), **_of_request(principal)}
    return act.condition_keys[principal]


def _of_principal(principal: Principal) -> dict[str, str]:
    keys = {
        # Of a role's session it is the role that counts, whatever the session is called.
        "aws:PrincipalArn": principal.role_arn or principal.arn,
        "aws:PrincipalAccount": principal.account_id,
        "aws:PrincipalType": {"user": "User", "role": "AssumedRole"}.get(principal.kind, "Service"),
        "aws:userid": principal.principal_id,
    }
    if principal.kind == "user":
        keys["aws:username"] = principal.name
    for key, value in principal.tags:
        keys[f"aws:PrincipalTag/{key}"] = value
    if principal.session_started_at is not None:
        keys["aws:TokenIssueTime"] = principal.session_started_at.strftime(_TIME)
    keys.update(principal.session_context)
    return keys


def _of_request(principal: Principal) -> dict[str, str]:
    now = timezone.now()
    keys = {
        "aws:CurrentTime": f"{now.isoformat(timespec='seconds')[:19]}Z",
        "aws:EpochTime": str(int(now.timestamp())),
        "aws:RequestedRegion": settings.REGION,
        "aws:ViaAWSService": "false",
    }
    act = current_act()
    if act is not None:
        keys["aws:SourceIp"] = act.info.source_ip
        keys["aws:UserAgent"] = act.info.user_agent
        keys["aws:SecureTransport"] = "true" if act.info.is_secure else "false"
    # Absent with long-term keys, which nobody's second factor stands behind; AWS's console is a session as well.
    is_session = principal.session_started_at is not None or (act is not None and act.info.via == "console")
    if is_session or principal.is_mfa_authenticated:
        keys["aws:MultiFactorAuthPresent"] = "true" if principal.is_mfa_authenticated else "false"
    return keys
