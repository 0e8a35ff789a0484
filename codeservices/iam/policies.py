"""What may be done to managed policies and their versions. Console and API call these same functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from codeservices.errors import Conflict, InvalidInput, LimitExceeded, NotFound
from codeservices.iam import arn, names, policy, rules
from codeservices.iam.authorize import Context, authorize
from codeservices.iam.models import Group, Policy, PolicyVersion, Role, User
from codeservices.iam.principal import Principal

# IAM and AWS STS quotas.
MAX_POLICIES = 1500
MAX_VERSIONS = 5
MAX_POLICY_CHARACTERS = 6144


def list_policies(principal: Principal) -> QuerySet[Policy]:
    """Every managed policy, the account's own before AWS's, for whoever may iam:ListPolicies."""
    authorize(principal, "iam:ListPolicies", "*")
    return Policy.objects.order_by("is_aws_managed", "name")


def with_usage(found: QuerySet[Policy]) -> QuerySet[Any]:
    """The same policies, each with `attachment_count` (users, groups and roles) and `default_number` (a version's)."""
    through: tuple[Any, ...] = (User.policies.through, Group.policies.through, Role.policies.through)
    attached = [
        Subquery(each.objects.filter(policy=OuterRef("pk")).values("policy").annotate(n=Count("pk")).values("n"))
        for each in through
    ]
    total = sum((Coalesce(each, 0) for each in attached), Value(0))
    default = PolicyVersion.objects.filter(policy=OuterRef("pk"), is_default=True)
    return found.annotate(attachment_count=total, default_number=Subquery(default.values("number")))


def find_policy(policy_arn: str) -> Policy:
    """The policy with that ARN.

    Raises:
        NotFound: There is none.
        InvalidInput: The text is no ARN of a policy.
    """
    found = _with_arn(policy_arn)
    if found is None:
        raise NotFound(f"Policy {policy_arn} does not exist or is not attachable.", code="NoSuchEntity")
    return found


def policy_for(principal: Principal, action: str, policy_arn: str, context: Context | None = None) -> Policy:
    """Authorize `action` on the policy's ARN, then fetch; a missing policy is told only to those who may ask."""
    rules.authorize_row(principal, action, _with_arn(policy_arn), policy_arn, context)
    return find_policy(policy_arn)


def _with_arn(policy_arn: str) -> Policy | None:
    _, _, name = policy_arn.rpartition("/")
    if not arn.is_arn(policy_arn) or not arn.parse(policy_arn).resource.startswith("policy/"):
        raise InvalidInput(
            f"ARN {policy_arn} is not valid: a policy's is arn:aws:iam::ACCOUNT:policy/NAME.", code="InvalidInput"
        )
    of_aws = arn.parse(policy_arn).account_id == "aws"
    found = Policy.objects.filter(is_aws_managed=of_aws, name__iexact=name).first()
    return found if found is not None and found.arn == policy_arn else None


def create_policy(
    principal: Principal,
    name: str,
    document: str,
    *,
    path: str = "/",
    description: str = "",
    tags: Mapping[str, str] | None = None,
) -> Policy:
    """A policy of this account; raises MalformedPolicy with the place of the fault."""
    tags = dict(tags or {})
    context = rules.tag_context(tags) if tags else None
    authorize(principal, "iam:CreatePolicy", arn.policy_arn(settings.ACCOUNT_ID, path, name), context)
    check_document(document)
    created = Policy(name=name, path=path, description=description, tags=names.check_tags(tags))
    with transaction.atomic():
        own = Policy.objects.filter(is_aws_managed=False)
        rules.save_one_more(created, own, MAX_POLICIES, f"A policy called {name} already exists.")
        created.versions.create(number=1, document=document, is_default=True)
    return created


def delete_policy(principal: Principal, policy_arn: str) -> None:
    """Remove a policy of this account that is attached to nothing and has only its default version left."""
    asked = _own(policy_for(principal, "iam:DeletePolicy", policy_arn))
    with transaction.atomic():
        found = rules.lock(asked)
        if found.users.exists() or found.groups.exists() or found.roles.exists():
            raise Conflict(
                f"Cannot delete policy {found.name}: detach it from users, groups and roles first.",
                code="DeleteConflict",
            )
        if found.versions.count() > 1:
            raise Conflict(
                f"Cannot delete policy {found.name}: delete its versions that are not the default first.",
                code="DeleteConflict",
            )
        found.delete()


@transaction.atomic
def delete_policy_with_versions(principal: Principal, policy_arn: str) -> None:
    """Remove a policy and all its versions, as the console does; nothing goes where one may not go."""
    for version in _own(policy_for(principal, "iam:DeletePolicy", policy_arn)).versions.filter(is_default=False):
        delete_version(principal, policy_arn, version.version_id)
    delete_policy(principal, policy_arn)


# ---- versions --------------------------------------------------------------------------------------------------------


def list_versions(principal: Principal, policy_arn: str) -> QuerySet[PolicyVersion]:
    """Newest first."""
    return policy_for(principal, "iam:ListPolicyVersions", policy_arn).versions.all()


def version_for(principal: Principal, policy_arn: str, version_id: str) -> PolicyVersion:
    """One version of a policy, by its id (v1, v2, …), for whoever may iam:GetPolicyVersion."""
    return _version(policy_for(principal, "iam:GetPolicyVersion", policy_arn), version_id)


def create_version(principal: Principal, policy_arn: str, document: str, *, set_as_default: bool) -> PolicyVersion:
    """A further document of a policy; it is in force only as the default.

    Raises:
        MalformedPolicy: With the place of the fault.
        LimitExceeded: The policy has MAX_VERSIONS already.
    """
    found = _own(policy_for(principal, "iam:CreatePolicyVersion", policy_arn))
    check_document(document)
    with transaction.atomic():
        locked = rules.lock(found)
        if locked.versions.count() >= MAX_VERSIONS:
            raise LimitExceeded(
                f"Policy {found.name} has {MAX_VERSIONS} versions already; delete one that is not the default first.",
                code="LimitExceeded",
            )
        return _add_version(locked, document, set_as_default=set_as_default)


def replace_document(principal: Principal, policy_arn: str, document: str) -> PolicyVersion:
    """A new default version, in force at once; where the policy has all it may have, the oldest other one goes."""
    found = _own(policy_for(principal, "iam:CreatePolicyVersion", policy_arn))
    check_document(document)
    with transaction.atomic():
        locked = rules.lock(found)
        if locked.versions.count() >= MAX_VERSIONS:
            authorize(principal, "iam:DeletePolicyVersion", policy_arn)
            oldest = locked.versions.filter(is_default=False).last()
            assert oldest is not None
            oldest.delete()
        return _add_version(locked, document, set_as_default=True)


def set_default_version(principal: Principal, policy_arn: str, version_id: str) -> None:
    """Bring an existing version into force, for everyone the policy is attached to, at once."""
    found = _own(policy_for(principal, "iam:SetDefaultPolicyVersion", policy_arn))
    with transaction.atomic():
        locked = rules.lock(found)
        version = _version(locked, version_id)
        locked.versions.filter(is_default=True).update(is_default=False)
        locked.versions.filter(pk=version.pk).update(is_default=True)
        locked.save(update_fields=["updated_at"])


def delete_version(principal: Principal, policy_arn: str, version_id: str) -> None:
    """Remove a version that is not the default."""
    found = _own(policy_for(principal, "iam:DeletePolicyVersion", policy_arn))
    with transaction.atomic():
        version = _version(rules.lock(found), version_id)
        if version.is_default:
            raise Conflict(
                f"Cannot delete version {version_id} of policy {found.name}: it is the default version.",
                code="DeleteConflict",
            )
        version.delete()


# ---- tags ------------------------------------------------------------------------------------------------------------


def tag_policy(principal: Principal, policy_arn: str, tags: Mapping[str, str]) -> None:
    """Add tags to a policy of the account, or give those that it has a new value."""
    rules.add_tags(_own(policy_for(principal, "iam:TagPolicy", policy_arn, rules.tag_context(tags))), tags)


def untag_policy(principal: Principal, policy_arn: str, keys: Iterable[str]) -> None:
    """Take tags away from a policy of the account."""
    keys = list(keys)
    rules.remove_tags(_own(policy_for(principal, "iam:UntagPolicy", policy_arn, {"aws:TagKeys": keys})), keys)


# ---- rules -----------------------------------------------------------------------------------------------------------


def check_document(document: str) -> None:
    """Raises LimitExceeded or MalformedPolicy where a managed policy could not have this document."""
    if policy_characters(document) > MAX_POLICY_CHARACTERS:
        raise LimitExceeded(
            f"A policy has at most {MAX_POLICY_CHARACTERS} characters without white space.", code="LimitExceeded"
        )
    policy.parse(document)


def policy_characters(document: str) -> int:
    """How long a document is to IAM's quotas, which leave out white space."""
    return len("".join(document.split()))


def _add_version(locked: Policy, document: str, *, set_as_default: bool) -> PolicyVersion:
    if set_as_default:
        locked.versions.filter(is_default=True).update(is_default=False)
    locked.last_version_number += 1
    locked.save(update_fields=["last_version_number", "updated_at"])
    return locked.versions.create(number=locked.last_version_number, document=document, is_default=set_as_default)


def _own(found: Policy) -> Policy:
    if found.is_aws_managed:
        raise InvalidInput(f"Policy {found.name} is managed by AWS and cannot be changed.", code="InvalidInput")
    return found


def _version(found: Policy, version_id: str) -> PolicyVersion:
    number = version_id[1:]
    is_id = version_id[:1] == "v" and number.isascii() and number.isdigit() and len(number) < 10
    version = found.versions.filter(number=int(number)).first() if is_id else None
    if version is None:
        raise NotFound(f"Policy {found.arn} version {version_id} does not exist.", code="NoSuchEntity")
    return version
