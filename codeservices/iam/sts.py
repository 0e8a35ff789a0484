"""Temporary credentials: sessions of roles, of users, and of services that act as a role.

Source: AWS STS API Reference, "AssumeRole" and "GetSessionToken"; IAM User Guide, "Session policies", "Passing session
tags in AWS STS" and "Policy evaluation for requests within a single account".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from codeservices.errors import AccessDenied, InvalidInput, LimitExceeded, ServiceError
from codeservices.iam import authorize, credentials, names, policies, policy, rules
from codeservices.iam.authorize import Context
from codeservices.iam.credentials import IssuedSession
from codeservices.iam.models import Role, TemporaryCredential, User
from codeservices.iam.principal import Principal
from codeservices.iam.roles import find_role

ASSUME_ROLE = "sts:AssumeRole"
MIN_SECONDS = 900
DEFAULT_ROLE_SECONDS = 3600
MAX_CHAINED_SECONDS = 3600
DEFAULT_USER_SECONDS = 12 * 3600
MAX_USER_SECONDS = 36 * 3600
MAX_SESSION_POLICY_CHARACTERS = 2048
MAX_SESSION_POLICY_ARNS = 10
# Expired credentials are told from unknown ones for a day, so that clients know to renew them.
EXPIRED_LIFE = timedelta(days=1)
_SESSION_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}")


@dataclass(frozen=True)
class SessionRequest:
    """What the caller of AssumeRole asks for.

    Attributes:
        name: The session's name, part of its ARN.
        seconds: How long it lasts; None for DEFAULT_ROLE_SECONDS.
        policy: A JSON document that bounds the session, or empty.
        policy_arns: Managed policies that bound it together with `policy`.
        tags: Session tags; they beat the role's own.
        external_id: What sts:ExternalId is in the trust policy's conditions, or empty.
    """

    name: str
    seconds: int | None = None
    policy: str = ""
    policy_arns: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    external_id: str = ""


def assume_role(principal: Principal, role_arn: str, wanted: SessionRequest) -> IssuedSession:
    """A session of a role, for a user or for another role's session.

    The role's trust policy must name the caller; where it names the whole account, the caller's own policies must
    allow sts:AssumeRole on the role as well. Session tags take sts:TagSession likewise.

    Raises:
        AccessDenied: Also where there is no such role.
        InvalidInput: ValidationError for a name, a duration or a tag that no session may have; MalformedPolicyDocument.
        LimitExceeded: PackedPolicyTooLarge.
        NotFound: A session policy's ARN names no policy.
    """
    _check_name(wanted.name)
    context: dict[str, str | Sequence[str]] = {"sts:RoleSessionName": wanted.name}
    if wanted.external_id:
        context["sts:ExternalId"] = wanted.external_id
    if wanted.tags:
        context.update(rules.tag_context(dict(wanted.tags)))
    role = find_role(role_arn)
    authorize.note(ASSUME_ROLE, role_arn)
    _admit(principal, ASSUME_ROLE, role, role_arn, context)
    if wanted.tags:
        _admit(principal, "sts:TagSession", role, role_arn, context)
    assert role is not None
    authorize.begin(ASSUME_ROLE)
    return credentials.issue_role_session(
        role,
        wanted.name,
        seconds=_role_seconds(principal, role, wanted.seconds),
        policies=_session_policies(wanted),
        tags=names.check_tags(wanted.tags),
        is_mfa_authenticated=principal.is_mfa_authenticated,
    )


def get_session_token(principal: Principal, seconds: int | None = None) -> IssuedSession:
    """Temporary credentials of a user that may do what the user may; needs no permission.

    Raises:
        ServiceError: AccessDenied, the caller is no user with long-term credentials.
        InvalidInput: ValidationError for a duration outside MIN_SECONDS to MAX_USER_SECONDS.
    """
    if principal.user_pk is None or principal.session_started_at is not None:
        raise ServiceError("Cannot call GetSessionToken with session credentials", code="AccessDenied", status=403)
    seconds = DEFAULT_USER_SECONDS if seconds is None else seconds
    _check_seconds(seconds, MAX_USER_SECONDS)
    user = User.objects.get(pk=principal.user_pk)
    return credentials.issue_user_session(user, seconds=seconds, is_mfa_authenticated=principal.is_mfa_authenticated)


def service_may_assume(role: Role | None, service: str, context: Context | None = None) -> bool:
    """Whether a role's trust policy lets a service ("codebuild.amazonaws.com") act as the role."""
    if role is None:
        return False
    keys = {"aws:SourceAccount": settings.ACCOUNT_ID, **(context or {})}
    return _trust(role, policy.Caller(service=service), ASSUME_ROLE, keys).decision.is_allowed


def assume_role_as_service(
    service: str,
    role_arn: str,
    session_name: str,
    *,
    seconds: int,
    context: Context | None = None,
    session_context: Mapping[str, str] | None = None,
) -> IssuedSession:
    """A session of a role for work that a service does on its behalf.

    Args:
        service: "codebuild.amazonaws.com".
        seconds: How long the work may take. The role's own maximum is about people's sessions and does not bound it.
        context: Condition keys for the trust policy, such as {"aws:SourceArn": project_arn}.
        session_context: Condition keys that the session's own requests will carry.

    Raises:
        AccessDenied: There is no such role, or its trust policy does not let the service assume it.
    """
    _check_name(session_name)
    role = find_role(role_arn)
    authorize.note(ASSUME_ROLE, role_arn)
    if role is None or not service_may_assume(role, service, {"sts:RoleSessionName": session_name, **(context or {})}):
        raise AccessDenied(service, ASSUME_ROLE, role_arn, policy_kind="resource-based policy")
    authorize.begin(ASSUME_ROLE)
    return credentials.issue_role_session(role, session_name, seconds=seconds, context=session_context or {})


def end_sessions(session_name: str, role_arn: str) -> int:
    """End every session of that name of a role at once; how many there were."""
    role = find_role(role_arn)
    found = TemporaryCredential.objects.filter(role=role, session_name=session_name) if role else None
    return found.delete()[0] if found is not None else 0


def remove_expired() -> int:
    """Forget credentials that expired a day ago; how many."""
    return TemporaryCredential.objects.filter(expires_at__lt=timezone.now() - EXPIRED_LIFE).delete()[0]


# ---- rules -----------------------------------------------------------------------------------------------------------


def _admit(principal: Principal, action: str, role: Role | None, role_arn: str, context: Context) -> None:
    """Raise AccessDenied unless the role's trust policy and, where they count, the caller's policies allow an action.

    A role that does not exist reads as one that trusts nobody.
    """
    own = authorize.decide(principal, action, role_arn, context)
    if own.is_explicit_deny:
        raise AccessDenied(principal.arn, action, role_arn, own)
    match = ""
    if role is not None:
        keys = authorize.global_context(principal, context)
        caller = policy.Caller(account_id=principal.account_id, arns=_names_of(principal, role))
        match = _trust(role, caller, action, keys).match
        is_within = all(
            policy.evaluate(limit.policies, action, role_arn, keys).is_allowed
            for limit in authorize.limits_of(principal)
        )
        if match == "direct" and is_within:
            return
    if not own.is_allowed:
        raise AccessDenied(principal.arn, action, role_arn, own)
    if not match:
        # Whether the trust policy denies or only does not allow is nothing to tell those whom it does not trust.
        raise AccessDenied(principal.arn, action, role_arn, policy_kind="resource-based policy")


def _names_of(principal: Principal, role: Role) -> tuple[str, ...]:
    """The ARNs by which a role's trust policy means a caller, whatever the caller has been called since."""
    unique_id = principal.principal_id.partition(":")[0]  # of a session: its role's
    return tuple(
        named
        for named, trusted_id in role.trusted_ids.items()
        if trusted_id == unique_id and (":assumed-role/" not in named or named == principal.arn)
    )


def _trust(role: Role, caller: policy.Caller, action: str, context: Context) -> policy.TrustDecision:
    """What a role's trust policy says of a caller; one that can't be read (any more) trusts nobody."""
    try:
        trust = policy.parse_trust(role.trust_policy, role.arn)
    except policy.MalformedPolicy:
        return policy.TrustDecision(policy.Decision(False), "")
    return policy.evaluate_trust(trust, caller, action, context)


def _role_seconds(principal: Principal, role: Role, wanted: int | None) -> int:
    seconds = DEFAULT_ROLE_SECONDS if wanted is None else wanted
    if principal.kind == "role" and seconds > MAX_CHAINED_SECONDS:
        raise InvalidInput(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            code="ValidationError",
        )
    if seconds > role.max_session_seconds:
        raise InvalidInput(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            code="ValidationError",
            hint=f"{role.name} allows {role.max_session_seconds} seconds.",
        )
    return _check_seconds(seconds, role.max_session_seconds)


def _check_seconds(seconds: int, most: int) -> int:
    if not MIN_SECONDS <= seconds <= most:
        raise InvalidInput(
            f"DurationSeconds must be between {MIN_SECONDS} and {most}, not {seconds}.", code="ValidationError"
        )
    return seconds


def _check_name(name: str) -> None:
    if _SESSION_NAME.fullmatch(name) is None:
        raise InvalidInput(
            "A session name has 2 to 64 letters, digits or the characters _ + = , . @ -.", code="ValidationError"
        )


def _session_policies(wanted: SessionRequest) -> list[str]:
    """The documents that bound the session, as they are now."""
    size = len(wanted.policy) + sum(map(len, wanted.policy_arns))
    if size > MAX_SESSION_POLICY_CHARACTERS:
        raise LimitExceeded(
            f"Session policies, with the ARNs of managed ones, have at most {MAX_SESSION_POLICY_CHARACTERS} "
            f"characters, not {size}.",
            code="PackedPolicyTooLarge",
        )
    if len(wanted.policy_arns) > MAX_SESSION_POLICY_ARNS:
        raise LimitExceeded(
            f"A session is bounded by at most {MAX_SESSION_POLICY_ARNS} managed policies, not "
            f"{len(wanted.policy_arns)}.",
            code="ValidationError",
        )
    found = [policies.find_policy(policy_arn).document for policy_arn in wanted.policy_arns]
    if wanted.policy:
        policy.parse(wanted.policy, "session policy")
        found.append(wanted.policy)
    return found
