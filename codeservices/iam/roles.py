"""What may be done to roles. Console and API call these same functions.

The policies of a role are attached and written by `attachments.py`, its sessions are begun by `sts.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from codeservices.errors import Conflict, InvalidInput, LimitExceeded, NotFound
from codeservices.iam import arn, names, policies, policy, rules
from codeservices.iam.authorize import Context, authorize
from codeservices.iam.models import Role, User
from codeservices.iam.principal import Principal

# IAM and AWS STS quotas.
MAX_ROLES = 1000
MAX_TRUST_POLICY_CHARACTERS = 2048
# Source: IAM API Reference, CreateRole, MaxSessionDuration.
SESSION_SECONDS = (3600, 43200)


def list_roles(principal: Principal) -> QuerySet[Role]:
    """Every role, by name, for whoever may iam:ListRoles."""
    authorize(principal, "iam:ListRoles", "*")
    return Role.objects.order_by("name")


def find_role(role_arn: str) -> Role | None:
    """The role with exactly that ARN, if there is one; decides nothing."""
    role = Role.objects.filter(name__iexact=role_arn.rpartition("/")[2]).first()
    return role if role is not None and role.arn == role_arn else None


def role_for(principal: Principal, action: str, name: str, context: Context | None = None) -> Role:
    """Authorize `action` on the role's ARN, then fetch; a missing role is told only to those who may ask."""
    role = Role.objects.filter(name__iexact=name).first()
    rules.authorize_row(principal, action, role, arn.role_arn(settings.ACCOUNT_ID, "/", name), context)
    if role is None:
        raise NotFound(f"The role with name {name} cannot be found.", code="NoSuchEntity")
    return role


def create_role(
    principal: Principal,
    name: str,
    trust_policy: str,
    *,
    path: str = "/",
    description: str = "",
    max_session_seconds: int = SESSION_SECONDS[0],
    tags: Mapping[str, str] | None = None,
) -> Role:
    """A role without policies: it may do nothing yet.

    Args:
        trust_policy: A JSON document that says who may assume the role.

    Raises:
        MalformedPolicy: The trust policy breaks the grammar; told with its line.
        LimitExceeded: The trust policy is too long, or there are MAX_ROLES already.
        Conflict: The name is taken.
    """
    tags = dict(tags or {})
    context = rules.tag_context(tags) if tags else None
    authorize(principal, "iam:CreateRole", arn.role_arn(settings.ACCOUNT_ID, path, name), context)
    role = Role(
        name=name,
        path=path,
        description=description,
        max_session_seconds=check_max_session(max_session_seconds),
        tags=names.check_tags(tags),
    )
    _trust(role, trust_policy)
    rules.save_one_more(role, Role.objects.all(), MAX_ROLES, f"Role with name {name} already exists.")
    return role


def update_role(
    principal: Principal, name: str, *, description: str | None = None, max_session_seconds: int | None = None
) -> Role:
    """Change what is given; sessions that are under way keep their end."""
    role = role_for(principal, "iam:UpdateRole", name)
    if description is not None:
        role.description = description
    if max_session_seconds is not None:
        role.max_session_seconds = check_max_session(max_session_seconds)
    rules.clean(role)
    role.save(update_fields=["description", "max_session_seconds"])
    return role


def describe_role(principal: Principal, name: str, description: str) -> Role:
    """Change the description alone, for those who may do no more (iam:UpdateRoleDescription)."""
    role = role_for(principal, "iam:UpdateRoleDescription", name)
    role.description = description
    rules.clean(role)
    role.save(update_fields=["description"])
    return role


def update_trust_policy(principal: Principal, name: str, document: str) -> Role:
    """Who may assume the role from now on; sessions that are under way go on."""
    role = role_for(principal, "iam:UpdateAssumeRolePolicy", name)
    _trust(role, document)
    role.save(update_fields=["trust_policy", "trusted_ids"])
    return role


def delete_role(principal: Principal, name: str) -> None:
    """Remove a role that has no policies left, and with it all its sessions, at once.

    As in AWS, a build project may still name it; its builds fail until it names another one.
    """
    found = role_for(principal, "iam:DeleteRole", name)
    with transaction.atomic():
        role = rules.lock(found)
        if role.policies.exists():
            raise Conflict("Cannot delete entity, must detach all policies first.", code="DeleteConflict")
        if role.inline_policies.exists():
            raise Conflict("Cannot delete entity, must delete policies first.", code="DeleteConflict")
        role.delete()


@transaction.atomic
def delete_role_with_policies(principal: Principal, name: str) -> None:
    """Remove a role with its policies, as the console does: each part needs its own right, or nothing goes."""
    role = rules.lock(role_for(principal, "iam:DeleteRole", name))
    for action, is_there in {
        "iam:DetachRolePolicy": role.policies.exists(),
        "iam:DeleteRolePolicy": role.inline_policies.exists(),
    }.items():
        if is_there:
            authorize(principal, action, role.arn)
    role.delete()


def tag_role(principal: Principal, name: str, tags: Mapping[str, str]) -> None:
    """Add tags to a role, or give those that it has a new value."""
    rules.add_tags(role_for(principal, "iam:TagRole", name, rules.tag_context(tags)), tags)


def untag_role(principal: Principal, name: str, keys: Iterable[str]) -> None:
    """Take tags away from a role."""
    keys = list(keys)
    rules.remove_tags(role_for(principal, "iam:UntagRole", name, {"aws:TagKeys": keys}), keys)


# ---- rules -----------------------------------------------------------------------------------------------------------


def _trust(role: Role, document: str) -> None:
    """Set a role's trust policy; raises LimitExceeded or MalformedPolicy where no role could have it.

    As in AWS, whom it names is remembered by unique id: whoever gets the name of a user that was deleted or renamed is
    not trusted. A principal of this account that does not exist is refused.
    """
    if policies.policy_characters(document) > MAX_TRUST_POLICY_CHARACTERS:
        raise LimitExceeded(
            f"Cannot exceed quota for ACLSizePerRole: {MAX_TRUST_POLICY_CHARACTERS}. That is how many characters a "
            "trust policy may have without white space.",
            code="LimitExceeded",
        )
    trusted = {}
    for named in sorted(policy.parse_trust(document, role.arn).arns):
        if arn.parse(named).account_id != settings.ACCOUNT_ID:
            continue  # of another account: nobody ever comes from there
        found = _unique_id(named)
        if found is None:
            raise InvalidInput(
                f'Invalid principal in policy: "AWS":"{named}"',
                code="MalformedPolicyDocument",
                hint="There is no such user or role. A role can name itself once it is there.",
            )
        trusted[named] = found
    role.trust_policy, role.trusted_ids = document, trusted


def _unique_id(named: str) -> str | None:
    """The unique id of the user or role with that ARN, or of the role with that session's; None where there is none."""
    kind, _, rest = arn.parse(named).resource.partition("/")
    if kind == "assumed-role":
        session_of = Role.objects.filter(name=rest.partition("/")[0]).first()
        return session_of.role_id if session_of is not None else None
    if kind == "role":
        role = find_role(named)
        return role.role_id if role is not None else None
    user = User.objects.filter(name=rest.rpartition("/")[2]).first()
    return user.user_id if user is not None and user.arn == named else None


def check_max_session(seconds: int) -> int:
    """The seconds themselves; raises InvalidInput where no role's sessions may last so long."""
    low, high = SESSION_SECONDS
    if not low <= seconds <= high:
        raise InvalidInput(
            f"A role's sessions last at most between {low} and {high} seconds (1 to 12 hours), not {seconds}.",
            code="ValidationError",
        )
    return seconds
