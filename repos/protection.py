"""Protecting a branch: the policy statement that keeps people from changing it, written and attached for them.

A branch is protected by a policy like any other, which denies to whom it is attached every act that moves the branch.
Each branch has one, found by its name, so that it can be seen, edited and taken away like every policy of the account.

It denies nothing of IAM: whoever may protect a branch may take the protection away again, also from themselves.

Source: CodeCommit User Guide, "Limit pushes and merges to branches in AWS CodeCommit".
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from codeservices.errors import Conflict, InvalidInput, NotFound
from codeservices.iam import arn, attachments, policies
from codeservices.iam.authorize import authorize
from codeservices.iam.models import Policy, User
from codeservices.iam.principal import Principal
from repos.git import refs
from repos.models import Repository

PATH = "/protected-branches/"
# All acts that move a branch. DeleteBranch does not bind `git push`, which deletes as GitPush.
CHANGES = (
    "codecommit:GitPush",
    "codecommit:CreateBranch",
    "codecommit:DeleteBranch",
    "codecommit:CreateCommit",
    "codecommit:PutFile",
    "codecommit:DeleteFile",
)
MERGES = (
    "codecommit:MergeBranchesByFastForward",
    "codecommit:MergeBranchesBySquash",
    "codecommit:MergeBranchesByThreeWay",
    "codecommit:MergePullRequestByFastForward",
    "codecommit:MergePullRequestBySquash",
    "codecommit:MergePullRequestByThreeWay",
)
_KEY = "codecommit:References"
_SLUG_CHARACTERS = 60


@dataclass(frozen=True)
class Protection:
    """How a branch is protected.

    Attributes:
        policy: The policy.
        groups, users: The names of those whom it binds.
        allows_merges: Merging on this server is left to them.
        is_changed: The policy's document is no longer the one written here: somebody has edited it.
    """

    policy: Policy
    groups: tuple[str, ...]
    users: tuple[str, ...]
    allows_merges: bool
    is_changed: bool


def document(repository_arn: str, branch: str, *, allows_merges: bool) -> str:
    """The policy's JSON.

    The Null condition is needed because a push is first authorized before its refs are known.
    """
    # A dollar sign would begin a variable.
    refname = refs.escaped(refs.HEADS + branch).replace("$", "${$}")
    statement = {
        "Sid": "ProtectBranch",
        "Effect": "Deny",
        "Action": [*CHANGES, *(() if allows_merges else MERGES)],
        "Resource": repository_arn,
        "Condition": {"StringEqualsIfExists": {_KEY: [refname]}, "Null": {_KEY: "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)


def policy_name(repository_name: str, branch: str) -> str:
    """The name of a branch's policy: readable, and of its own by the digest at its end."""
    digest = hashlib.sha256(f"{repository_name}\0{refs.escaped(branch)}".encode()).hexdigest()[:12]
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", refs.escaped(branch), flags=re.ASCII)
    start = f"protect-{repository_name}-{slug}"[: len("protect-") + _SLUG_CHARACTERS]
    return f"{start}-{digest}"


def protections(repository: Repository, branches: Collection[str]) -> dict[str, Protection]:
    """How each of these branches is protected; those that aren't are left out."""
    names = {policy_name(repository.name, branch): branch for branch in branches}
    rows = Policy.objects.filter(is_aws_managed=False, path=PATH, name__in=names)
    rows = rows.prefetch_related("groups", "users", "versions")
    return {names[row.name]: _protection(repository, names[row.name], row) for row in rows}


def _protection(repository: Repository, branch: str, row: Policy) -> Protection:
    text = next((version.document for version in row.versions.all() if version.is_default), "")
    written = {document(repository.arn, branch, allows_merges=merges): merges for merges in (False, True)}
    return Protection(
        policy=row,
        groups=tuple(sorted(group.name for group in row.groups.all())),
        users=tuple(sorted(user.name for user in row.users.all())),
        allows_merges=written.get(text, False),
        is_changed=text not in written,
    )


def binds(principal: Principal, groups: Iterable[str], users: Iterable[str]) -> bool:
    """Whether a protection of these groups and users would bind the principal itself."""
    user = User.objects.filter(pk=principal.user_pk).first() if principal.user_pk is not None else None
    if user is None:
        return False
    own = {name.casefold() for name in user.groups.values_list("name", flat=True)}
    return user.name.casefold() in {name.casefold() for name in users} or bool(own & {one.casefold() for one in groups})


@transaction.atomic
def protect(
    principal: Principal,
    repository: Repository,
    branch: str,
    *,
    groups: Collection[str],
    users: Collection[str],
    allows_merges: bool = False,
    binds_oneself: bool = False,
) -> Policy:
    """Write the branch's policy, and attach it to exactly these groups and users; as a whole or not at all.

    Args:
        binds_oneself: Whether the principal knows that it is among them.

    Raises:
        InvalidBranchName: No branch can be called that.
        InvalidInput: Nobody is named.
        Conflict: The principal would bind itself and has not said that it knows.
        AccessDenied: One of the acts of IAM that this takes is not allowed.
        NotFound: There is no such group or user.
    """
    refs.check_branch_name(branch)
    if not groups and not users:
        raise InvalidInput("A protection binds somebody: choose at least one group or user.")
    if binds(principal, groups, users) and not binds_oneself:
        raise Conflict(
            f"This would keep you, too, from changing “{refs.shown(branch)}”.",
            hint="Say that you know, or choose groups that you are not in.",
        )
    policy_arn = _written(principal, repository, branch, allows_merges)
    row = policies.find_policy(policy_arn)
    for kind, wanted, rows in ((attachments.GROUP, groups, row.groups), (attachments.USER, users, row.users)):
        present = {one.name.casefold(): one.name for one in rows.all()}
        asked = {name.casefold(): name for name in wanted}
        for key in asked.keys() - present.keys():
            attachments.attach(principal, kind, asked[key], policy_arn)
        for key in present.keys() - asked.keys():
            attachments.detach(principal, kind, present[key], policy_arn)
    return row


def authorize_policy(principal: Principal, repository_name: str, branch: str) -> None:
    """Raises AccessDenied for those who could not write the branch's policy, before they fill in a form."""
    name = policy_name(repository_name, branch)
    is_new = not Policy.objects.filter(is_aws_managed=False, path=PATH, name=name).exists()
    action = "iam:CreatePolicy" if is_new else "iam:CreatePolicyVersion"
    authorize(principal, action, arn.policy_arn(settings.ACCOUNT_ID, PATH, name))


def _written(principal: Principal, repository: Repository, branch: str, allows_merges: bool) -> str:
    """The ARN of the branch's policy, which has the right document now."""
    name = policy_name(repository.name, branch)
    policy_arn = arn.policy_arn(settings.ACCOUNT_ID, PATH, name)
    wanted = document(repository.arn, branch, allows_merges=allows_merges)
    row = Policy.objects.filter(is_aws_managed=False, path=PATH, name=name).first()
    if row is None:
        about = f"Protects the branch {refs.shown(branch)} of {repository.name}."
        policies.create_policy(principal, name, wanted, path=PATH, description=about[:1000])
    elif row.document != wanted:
        policies.create_version(principal, policy_arn, wanted, set_as_default=True)
    return policy_arn


@transaction.atomic
def follow_rename(repository: Repository, old_name: str) -> int:
    """Have the policies that protect a repository's branches name it as it is called now; how many.

    A policy names its repository by ARN, so it would protect nothing after a rename. Nobody is bound or freed by this.

    Raises:
        Conflict: There is a policy of that name, left by an earlier repository with the new name.
    """
    old_arn = arn.repository_arn(settings.REGION, settings.ACCOUNT_ID, old_name)
    rows = list(Policy.objects.filter(is_aws_managed=False, path=PATH))
    # A branch that is protected need not be there; a policy that was edited may no longer name its branch.
    refnames = {*refs.all_refs(repository.git), *(_refname(row.document) for row in rows)}
    branches = [one.removeprefix(refs.HEADS) for one in refnames if one.startswith(refs.HEADS)]
    names = {policy_name(old_name, branch): policy_name(repository.name, branch) for branch in branches}
    found = [row for row in rows if row.name in names]
    wanted = [names[row.name] for row in found]
    left = Policy.objects.filter(is_aws_managed=False, name__in=wanted).values_list("name", flat=True).first()
    if left is not None:
        raise Conflict(
            f"There is a policy {left} already, which an earlier repository called {repository.name} has left.",
            hint="Delete that policy first.",
        )
    for row, name in zip(found, wanted, strict=True):
        for version in row.versions.all():
            version.document = version.document.replace(json.dumps(old_arn), json.dumps(repository.arn))
            version.save(update_fields=["document"])
        row.name = name
        row.description = row.description.replace(f" of {old_name}.", f" of {repository.name}.")
        row.save(update_fields=["name", "description", "updated_at"])
    return len(found)


def _refname(text: str) -> str:
    """The ref that a document written here is about; "" for what somebody has made of it."""
    try:
        escaped = json.loads(text)["Statement"][0]["Condition"]["StringEqualsIfExists"][_KEY][0]
        return refs.unescaped(escaped.replace("${$}", "$"))
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""


@transaction.atomic
def unprotect(principal: Principal, repository: Repository, branch: str) -> None:
    """Detach a branch's policy from all, and delete it.

    Raises:
        NotFound: The branch has none.
        AccessDenied: One of the acts of IAM that this takes is not allowed.
    """
    name = policy_name(repository.name, branch)
    authorize(principal, "iam:DeletePolicy", arn.policy_arn(settings.ACCOUNT_ID, PATH, name))
    row = Policy.objects.filter(is_aws_managed=False, path=PATH, name=name).first()
    if row is None:
        raise NotFound(f"The branch “{refs.shown(branch)}” of {repository.name} is not protected.", code="NoSuchEntity")
    kinds = ((attachments.GROUP, row.groups), (attachments.USER, row.users), (attachments.ROLE, row.roles))
    for kind, rows in kinds:
        for one in rows.all():
            attachments.detach(principal, kind, one.name, row.arn)
    policies.delete_policy_with_versions(principal, row.arn)
