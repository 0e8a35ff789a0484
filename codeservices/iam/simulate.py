"""The policy simulator: what policies would decide, without anything being done.

Source: IAM API Reference, SimulatePrincipalPolicy, SimulateCustomPolicy and GetContextKeysForPrincipalPolicy; IAM User
Guide, "Testing IAM policies with the IAM policy simulator".
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from codeservices.errors import InvalidInput, NotFound
from codeservices.iam import arn, authorize, policy
from codeservices.iam.models import Group, PolicyVersion, Role, User
from codeservices.iam.policy import Context, Decision, Limit, MalformedPolicy, Policy, Statement, conditions
from codeservices.iam.policy.model import distinct_keys
from codeservices.iam.principal import Principal

MAX_CASES = 10_000  # actions times resources: far above what a person reads, and answered within seconds
# Of all documents of one request: each may be as long as a policy's, but they are compiled before anything is answered.
MAX_DOCUMENT_CHARACTERS = 300_000
MAX_VALUE_CHARACTERS = 10_000  # of all condition keys of a request: each pattern is held against them
# Documents can be written so that each decision is dear; whoever wants so many of them has to ask for fewer at once.
MAX_SECONDS = 10.0

_ACTION = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9]+")
# Facts of the request that asks, which say nothing of the one that is simulated.
_REQUEST_KEYS = ("aws:SourceIp", "aws:UserAgent", "aws:SecureTransport", "aws:MultiFactorAuthPresent")
_CHECKS: dict[str, Callable[[str], object]] = {
    "string": str,
    "numeric": conditions.number,
    "boolean": conditions.boolean,
    "ip": conditions.address,
    "binary": conditions.binary,
    "date": conditions.moment,
}
_SOURCES: dict[str, type[User | Group | Role]] = {"user": User, "group": Group, "role": Role}


@dataclass(frozen=True)
class ContextEntry:
    """One condition key of a simulated request.

    Attributes:
        name: "codecommit:References".
        values: One, or several where the type is a list.
        type: "string", "numeric", "boolean", "ip", "binary", "date", or one of these with "List" behind it.
    """

    name: str
    values: tuple[str, ...]
    type: str = "string"


@dataclass(frozen=True)
class Result:
    """What is decided about one action on one resource.

    Attributes:
        action, resource: What was asked about.
        decision: The answer, the deciding statement and why.
        matched: The statements that settle it: those that deny where one does, else those that allow.
        missing: Condition keys that statements about the action ask for and the request lacks, in the policies' order.
        allowed_by_boundary: Whether the permissions boundary allows it; None without one.
    """

    action: str
    resource: str
    decision: Decision
    matched: tuple[Statement, ...]
    missing: tuple[str, ...]
    allowed_by_boundary: bool | None


@dataclass(frozen=True)
class Simulation:
    """Requests to be decided; each is when `result` is asked for it.

    Attributes:
        policies: Whose statements decide.
        limits: The permissions boundary, where one is simulated.
        context: The condition keys of every request.
        cases: Pairs of action and resource, in the order asked for.
        started_at: When this was asked, by the monotonic clock.
    """

    policies: tuple[Policy, ...]
    limits: tuple[Limit, ...]
    context: Context
    cases: tuple[tuple[str, str], ...]
    started_at: float = field(default_factory=time.monotonic)

    def result(self, action: str, resource: str) -> Result:
        """Decide one case; raises InvalidInput where all those before have taken MAX_SECONDS."""
        if time.monotonic() - self.started_at > MAX_SECONDS:
            raise _invalid(
                "These policies take too long to simulate at once. Ask about fewer actions and resources, or for a "
                "shorter page (MaxItems)."
            )
        decision = policy.evaluate(self.policies, action, resource, self.context, self.limits)
        bounds = tuple(one for limit in self.limits for one in limit.policies)
        matched = policy.matching((*self.policies, *bounds), action, resource, self.context)
        settles = decision.is_allowed or decision.is_explicit_deny
        return Result(
            action,
            resource,
            decision,
            tuple(one for one in matched if settles and one.allows is decision.is_allowed),
            self._missing((*self.policies, *bounds), action, resource),
            policy.evaluate(bounds, action, resource, self.context).is_allowed if self.limits else None,
        )

    def _missing(self, policies: Sequence[Policy], action: str, resource: str) -> tuple[str, ...]:
        given = {key.lower(): value for key, value in self.context.items()}
        asking = [
            statement
            for one in policies
            for statement in one.statements
            if statement.is_about(action.lower())
            and (any(pattern.variables for pattern in statement.resources) or statement.is_on(resource, given))
        ]
        return tuple(key for key in distinct_keys(asking) if key.lower() not in given)


def simulate_principal(
    principal: Principal,
    source_arn: str,
    actions: Sequence[str],
    resources: Sequence[str] = ("*",),
    context_entries: Sequence[ContextEntry] = (),
    extra_policies: Sequence[str] = (),
    boundaries: Sequence[str] = (),
    caller_arn: str = "",
) -> Simulation:
    """Ask what the policies of a user (its groups' included), a group or a role decide.

    Args:
        principal: Who wants to know: needs iam:SimulatePrincipalPolicy on the source.
        source_arn: The user, group or role.
        actions: Their names, without wildcards.
        resources: ARNs or "*".
        context_entries: Condition keys of the requests. Those about the source itself and the time are there already.
        extra_policies: Documents that are taken as attached too.
        boundaries: Documents of a permissions boundary.
        caller_arn: The user whose name and ARN the requests carry; the source itself if it is empty.

    Raises:
        AccessDenied: The principal may not ask this about the source.
        NotFound: NoSuchEntity.
        InvalidInput: InvalidInput, for whatever is malformed.
    """
    authorize.authorize(principal, "iam:SimulatePrincipalPolicy", source_arn)
    source = _source(source_arn)
    policies = (*_policies_of(source), *_parsed(extra_policies, "PolicyInputList"))
    facts = {**_facts_of(source), **(_facts_of_caller(caller_arn) if caller_arn else {})}
    return _simulation(policies, actions, resources, facts, context_entries, boundaries)


def simulate_custom(
    principal: Principal,
    documents: Sequence[str],
    actions: Sequence[str],
    resources: Sequence[str] = ("*",),
    context_entries: Sequence[ContextEntry] = (),
    boundaries: Sequence[str] = (),
    caller_arn: str = "",
) -> Simulation:
    """Ask what the given documents decide, attached to nobody; arguments and refusals as `simulate_principal` has them.

    The principal needs iam:SimulateCustomPolicy. The requests have no condition keys but those that are given.
    """
    authorize.authorize(principal, "iam:SimulateCustomPolicy", "*")
    facts = _facts_of_caller(caller_arn) if caller_arn else {}
    return _simulation(_parsed(documents, "PolicyInputList"), actions, resources, facts, context_entries, boundaries)


def principal_keys(principal: Principal, source_arn: str, extra_policies: Sequence[str] = ()) -> list[str]:
    """The condition keys that the policies of a user, group or role ask for, and those of more documents."""
    authorize.authorize(principal, "iam:GetContextKeysForPrincipalPolicy", source_arn)
    policies = (*_policies_of(_source(source_arn)), *_parsed(extra_policies, "PolicyInputList"))
    return _keys(policies)


def custom_keys(principal: Principal, documents: Sequence[str]) -> list[str]:
    """The condition keys that the given documents ask for."""
    authorize.authorize(principal, "iam:GetContextKeysForCustomPolicy", "*")
    return _keys(_parsed(documents, "PolicyInputList"))


# ---- the parts -------------------------------------------------------------------------------------------------------


def _simulation(
    policies: tuple[Policy, ...],
    actions: Sequence[str],
    resources: Sequence[str],
    facts: Context,
    context_entries: Sequence[ContextEntry],
    boundaries: Sequence[str],
) -> Simulation:
    resources = resources or ("*",)
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise _invalid(f"“{action}” is no action; write service:Name without wildcards, as in codecommit:GitPush.")
    for resource in resources:
        if resource != "*" and not arn.is_arn(resource):
            raise _invalid(f"“{resource}” is no resource; write an ARN or *.")
    if len(actions) * len(resources) > MAX_CASES:
        raise _invalid(f"{len(actions)} actions on {len(resources)} resources are more than {MAX_CASES:,} cases.")
    bounds = _parsed(boundaries, "PermissionsBoundaryPolicyInputList")
    limits = (Limit("permissions boundary", bounds),) if bounds else ()
    cases = tuple((action, resource) for action in actions for resource in resources)
    return Simulation(policies, limits, _with_entries(facts, context_entries), cases)


def _source(source_arn: str) -> User | Group | Role:
    kind, _, path = arn.parse(source_arn).resource.partition("/") if arn.is_arn(source_arn) else ("", "", "")
    if kind not in _SOURCES:
        raise _invalid(f"“{source_arn}” is not the ARN of a user, group or role.")
    found = _SOURCES[kind].objects.filter(name__iexact=path.rpartition("/")[2]).first()
    if found is None or found.arn != source_arn:
        raise NotFound(f"The {kind} with ARN {source_arn} cannot be found.", code="NoSuchEntity")
    return found


def _policies_of(source: User | Group | Role) -> tuple[Policy, ...]:
    if isinstance(source, Group):
        versions = PolicyVersion.objects.filter(is_default=True, policy__groups=source).select_related("policy")
        attached = [policy.compiled(row.document, row.policy.arn) for row in versions.order_by("policy_id")]
        inline = [policy.compiled(row.document, row.source) for row in source.inline_policies.all()]
        return (*attached, *inline)
    return tuple(authorize.policies_of(_principal_of(source)))


def _principal_of(source: User | Role) -> Principal:
    return source.principal if isinstance(source, User) else source.session("simulation")


def _facts_of(source: User | Group | Role) -> Context:
    """The condition keys that a request of the source would have anyway; a group sends none."""
    if isinstance(source, Group):
        return {}
    facts = authorize.global_context(_principal_of(source), None)
    return {key: value for key, value in facts.items() if key not in _REQUEST_KEYS}


def _facts_of_caller(caller_arn: str) -> Context:
    caller = arn.parse(caller_arn) if arn.is_arn(caller_arn) else None
    if caller is None or caller.service != "iam" or not caller.resource.startswith("user/"):
        raise _invalid(f"CallerArn must be the ARN of a user, not “{caller_arn}”.")
    return {
        "aws:PrincipalArn": caller_arn,
        "aws:PrincipalAccount": caller.account_id,
        "aws:PrincipalType": "User",
        "aws:username": caller.resource.rpartition("/")[2],
    }


def _with_entries(facts: Context, entries: Sequence[ContextEntry]) -> Context:
    """The keys of the requests; an entry takes the place of a fact of that name."""
    total = sum(len(value) for entry in entries for value in entry.values)
    if total > MAX_VALUE_CHARACTERS:
        raise _invalid(f"The values have {total:,} characters; {MAX_VALUE_CHARACTERS:,} are the most.")
    given: dict[str, str | Sequence[str]] = {}
    for entry in entries:
        name = entry.name.lower()
        if name in given:
            raise _invalid(f"The context key {entry.name} is given twice.")
        given[name] = _value(entry)
    return {**{key: value for key, value in facts.items() if key.lower() not in given}, **given}


def _value(entry: ContextEntry) -> str | Sequence[str]:
    kind = entry.type.removesuffix("List")
    for value in entry.values:
        try:
            _CHECKS[kind](value)
        except ValueError as error:
            raise _invalid(f"The context key {entry.name} is of the type {entry.type}: {error}") from None
    if entry.type != kind:
        return entry.values
    if len(entry.values) != 1:
        raise _invalid(f"The context key {entry.name} of the type {kind} has one value; {kind}List may have several.")
    return entry.values[0]


def _parsed(documents: Sequence[str], member: str) -> tuple[Policy, ...]:
    """The compiled documents; they are named as AWS does it, by their place in the request."""
    total = sum(map(len, documents))
    if total > MAX_DOCUMENT_CHARACTERS:
        raise _invalid(f"{member} has {total:,} characters; {MAX_DOCUMENT_CHARACTERS:,} are the most.")
    policies = []
    for place, document in enumerate(documents, 1):
        source = f"{member}.{place}"
        try:
            policies.append(policy.parse(document, source))
        except MalformedPolicy as error:
            raise MalformedPolicy(error.problems, code="InvalidInput", prefix=f"{source}: ") from None
    return tuple(policies)


def _keys(policies: Sequence[Policy]) -> list[str]:
    return list(distinct_keys([statement for one in policies for statement in one.statements]))


def _invalid(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, code="InvalidInput")
