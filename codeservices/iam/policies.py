"""What may be done to managed policies and their versions. Console and API call these same functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from codeservices.errors import Conflict, InvalidInput, LimitExceeded, NotFound
from codeservices.iam import arn, names, policy, rules
from codeservices.iam.authorize import authorize
from codeservices.iam.models import Policy, PolicyVersion
from codeservices.iam.principal import Principal

# IAM and AWS STS quotas.
MAX_POLICIES = 1500
MAX_VERSIONS = 5
MAX_POLICY_CHARACTERS = 6144


def list_policies(principal: Principal) -> QuerySet[Policy]:
    authorize(principal, "iam:ListPolicies", "*")
    return Policy.objects.order_by("is_aws_managed", "name")


def find_policy(policy_arn: str) -> Policy:
    """The policy with that ARN; raises NotFound."""
    account_id, name = arn.parse(policy_arn).account_id, policy_arn.rpartition("/")[2]
    found = Policy.objects.filter(is_aws_managed=account_id == "aws", name__iexact=name).first()
    if found is None or found.arn != policy_arn:
        raise NotFound(f"Policy {policy_arn} does not exist or is not attachable.", code="NoSuchEntity")
    return found


def policy_for(principal: Principal, action: str, policy_arn: str) -> Policy:
    """Authorize `action` on the policy's ARN, then fetch."""
    authorize(principal, action, policy_arn)
    return find_policy(policy_arn)


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
    if Policy.objects.filter(is_aws_managed=False).count() >= MAX_POLICIES:
        raise LimitExceeded(f"This account has {MAX_POLICIES} policies already.", code="LimitExceeded")
    with transaction.atomic():
        rules.save_new(created, f"A policy called {name} already exists.")
        created.versions.create(number=1, document=document, is_default=True)
    return created


def delete_policy(principal: Principal, policy_arn: str) -> None:
    """Remove a policy of this account that is attached to nothing and has only its default version left."""
    found = _own(policy_for(principal, "iam:DeletePolicy", policy_arn))
    if found.users.exists() or found.groups.exists() or found.roles.exists():
        raise Conflict(
            f"Cannot delete policy {found.name}: detach it from users, groups and roles first.", code="DeleteConflict"
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
        locked = Policy.objects.select_for_update().get(pk=found.pk)
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
        locked = Policy.objects.select_for_update().get(pk=found.pk)
        if locked.versions.count() >= MAX_VERSIONS:
            authorize(principal, "iam:DeletePolicyVersion", policy_arn)
            oldest = locked.versions.filter(is_default=False).last()
            assert oldest is not None
            oldest.delete()
        return _add_version(locked, document, set_as_default=True)


def set_default_version(principal: Principal, policy_arn: str, version_id: str) -> None:
    """Bring an existing version into force, for everyone the policy is attached to, at once."""
    found = _own(policy_for(principal, "iam:SetDefaultPolicyVersion", policy_arn))
    version = _version(found, version_id)
    with transaction.atomic():
        locked = Policy.objects.select_for_update().get(pk=found.pk)
        locked.versions.filter(is_default=True).update(is_default=False)
        locked.versions.filter(pk=version.pk).update(is_default=True)
        locked.save(update_fields=["updated_at"])


def delete_version(principal: Principal, policy_arn: str, version_id: str) -> None:
    """Remove a version that is not the default."""
    found = _own(policy_for(principal, "iam:DeletePolicyVersion", policy_arn))
    version = _version(found, version_id)
    deleted, _ = found.versions.filter(pk=version.pk, is_default=False).delete()
    if not deleted:
        raise Conflict(
            f"Cannot delete version {version_id} of policy {found.name}: it is the default version.",
            code="DeleteConflict",
        )


# ---- tags ------------------------------------------------------------------------------------------------------------


def tag_policy(principal: Principal, policy_arn: str, tags: Mapping[str, str]) -> None:
    authorize(principal, "iam:TagPolicy", policy_arn, rules.tag_context(dict(tags)))
    rules.add_tags(_own(find_policy(policy_arn)), tags)


def untag_policy(principal: Principal, policy_arn: str, keys: Iterable[str]) -> None:
    authorize(principal, "iam:UntagPolicy", policy_arn, {"aws:TagKeys": list(keys)})
    rules.remove_tags(_own(find_policy(policy_arn)), keys)


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
