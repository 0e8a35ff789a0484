"""What may be done to users, groups, policies and their credentials. Console and API call these same functions."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from codeservices.errors import AccessDenied, Conflict, InvalidInput, LimitExceeded, NotFound
from codeservices.iam import arn, credentials, policy
from codeservices.iam.authorize import authorize
from codeservices.iam.models import AccessKey, CredentialStatus, GitCredential, Group, Policy, User
from codeservices.iam.principal import Principal

# IAM and AWS STS quotas.
MAX_ATTACHED_POLICIES = 10
MAX_POLICY_CHARACTERS = 6144


def _target(name: str) -> str:
    return arn.user_arn(settings.ACCOUNT_ID, "/", name)


def find_user(name: str) -> User:
    """The user of that name in any case; raises NotFound."""
    user = User.objects.filter(name__iexact=name).first()
    if user is None:
        raise NotFound(f"The user with name {name} cannot be found.", code="NoSuchEntity")
    return user


def user_for(principal: Principal, action: str, name: str) -> User:
    """Authorize `action` on the user's ARN, then fetch; a missing user is told only to those who may ask."""
    user = User.objects.filter(name__iexact=name).first()
    _authorize_row(principal, action, user, _target(name))
    return user or find_user(name)


def _authorize_row(principal: Principal, action: str, row: User | Group | None, asked_arn: str) -> None:
    """Decide on the row's own ARN; a denial names the ARN that was asked for, since path and spelling tell of a row."""
    try:
        authorize(principal, action, row.arn if row else asked_arn)
    except AccessDenied as denied:
        raise AccessDenied(principal.arn, action, asked_arn, statement=denied.statement) from None


def list_users(principal: Principal) -> QuerySet[User]:
    authorize(principal, "iam:ListUsers", "*")
    return User.objects.order_by("name")


def create_user(principal: Principal, name: str, *, path: str = "/", email: str = "") -> User:
    """A user without a password, keys or policies."""
    authorize(principal, "iam:CreateUser", arn.user_arn(settings.ACCOUNT_ID, path, name))
    user = User(name=name, path=path, email=email)
    user.set_unusable_password()
    _clean(user)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:
        raise Conflict(f"User with name {name} already exists.", code="EntityAlreadyExists") from None
    return user


@transaction.atomic
def create_user_with(principal: Principal, name: str, *, email: str, password: str, policy_arns: list[str]) -> User:
    """A user with what it starts with, or nothing at all: each part needs its own right.

    Args:
        name: Its name.
        email: May be empty.
        password: A sign-in password; empty for a user that only has keys.
        policy_arns: The policies to attach.
    """
    user = create_user(principal, name, email=email)
    if password:
        user = set_password(principal, name, password)
    for policy_arn in policy_arns:
        attach_user_policy(principal, name, policy_arn)
    return user


def delete_user(principal: Principal, name: str) -> None:
    """Remove a user that has no keys, credentials, groups or policies left, as IAM wants it."""
    user = user_for(principal, "iam:DeleteUser", name)
    children = {
        "access keys": user.access_keys.exists(),
        "git credentials": user.git_credentials.exists(),
        "attached policies": user.policies.exists(),
        "group memberships": user.groups.exists(),
    }
    left = [what for what, is_there in children.items() if is_there]
    if left:
        raise Conflict(f"Cannot delete user {user.name}: remove its {', '.join(left)} first.", code="DeleteConflict")
    user.delete()


def set_active(principal: Principal, name: str, is_active: bool) -> User:
    """Let a user in or lock it out, with all its keys, at once."""
    user = user_for(principal, "iam:UpdateUser", name)
    user.is_active = is_active
    user.save(update_fields=["is_active"])
    return user


def set_password(principal: Principal, name: str, password: str) -> User:
    """Give a user a sign-in password (IAM's login profile)."""
    user = user_for(principal, "iam:UpdateLoginProfile", name)
    check_password_strength(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    return user


def change_password(principal: Principal, user: User, old_password: str, new_password: str) -> None:
    """A person changes their own password."""
    authorize(principal, "iam:ChangePassword", user.arn)
    if not user.check_password(old_password):
        raise InvalidInput("The old password is not right.", code="AccessDenied", status=403)
    check_password_strength(new_password, user)
    user.set_password(new_password)
    user.save(update_fields=["password"])


def check_password_strength(password: str, user: User) -> None:
    """Raises InvalidInput with every rule that the password breaks."""
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages), code="PasswordPolicyViolation") from None


def attach_user_policy(principal: Principal, name: str, policy_arn: str) -> None:
    """Attaching twice is no error."""
    user = user_for(principal, "iam:AttachUserPolicy", name)
    found = find_policy(policy_arn)
    if not user.policies.filter(pk=found.pk).exists() and user.policies.count() >= MAX_ATTACHED_POLICIES:
        raise LimitExceeded(f"User {user.name} has {MAX_ATTACHED_POLICIES} policies already.", code="LimitExceeded")
    user.policies.add(found)


def detach_user_policy(principal: Principal, name: str, policy_arn: str) -> None:
    user = user_for(principal, "iam:DetachUserPolicy", name)
    found = find_policy(policy_arn)
    if not user.policies.filter(pk=found.pk).exists():
        raise NotFound(f"Policy {policy_arn} is not attached to user {user.name}.", code="NoSuchEntity")
    user.policies.remove(found)


def list_groups(principal: Principal) -> QuerySet[Group]:
    authorize(principal, "iam:ListGroups", "*")
    return Group.objects.order_by("name")


def group_for(principal: Principal, action: str, name: str) -> Group:
    group = Group.objects.filter(name__iexact=name).first()
    _authorize_row(principal, action, group, arn.group_arn(settings.ACCOUNT_ID, "/", name))
    if group is None:
        raise NotFound(f"The group with name {name} cannot be found.", code="NoSuchEntity")
    return group


def create_group(principal: Principal, name: str, *, path: str = "/") -> Group:
    authorize(principal, "iam:CreateGroup", arn.group_arn(settings.ACCOUNT_ID, path, name))
    group = Group(name=name, path=path)
    _clean(group)
    try:
        with transaction.atomic():
            group.save()
    except IntegrityError:
        raise Conflict(f"Group with name {name} already exists.", code="EntityAlreadyExists") from None
    return group


def delete_group(principal: Principal, name: str) -> None:
    """Remove a group that has no members or policies left, as IAM wants it."""
    group = group_for(principal, "iam:DeleteGroup", name)
    if group.users.exists() or group.policies.exists():
        raise Conflict(
            f"Cannot delete group {group.name}: remove its members and detach its policies first.",
            code="DeleteConflict",
        )
    group.delete()


def add_user_to_group(principal: Principal, group_name: str, user_name: str) -> None:
    group = group_for(principal, "iam:AddUserToGroup", group_name)
    find_user(user_name).groups.add(group)


def remove_user_from_group(principal: Principal, group_name: str, user_name: str) -> None:
    group = group_for(principal, "iam:RemoveUserFromGroup", group_name)
    find_user(user_name).groups.remove(group)


def attach_group_policy(principal: Principal, name: str, policy_arn: str) -> None:
    group_for(principal, "iam:AttachGroupPolicy", name).policies.add(find_policy(policy_arn))


def detach_group_policy(principal: Principal, name: str, policy_arn: str) -> None:
    group_for(principal, "iam:DetachGroupPolicy", name).policies.remove(find_policy(policy_arn))


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


def update_policy(principal: Principal, policy_arn: str, document: str) -> Policy:
    """Give a policy of this account a new document, in force at once; raises MalformedPolicy as create_policy does."""
    found = policy_for(principal, "iam:CreatePolicyVersion", policy_arn)
    if found.is_aws_managed:
        raise InvalidInput(f"Policy {found.name} is managed by AWS and cannot be changed.", code="InvalidInput")
    _check_document(document)
    found.document = document
    found.save(update_fields=["document", "updated_at"])
    return found


def delete_policy(principal: Principal, policy_arn: str) -> None:
    """Remove a policy of this account that is attached to nothing any more."""
    found = policy_for(principal, "iam:DeletePolicy", policy_arn)
    if found.is_aws_managed:
        raise InvalidInput(f"Policy {found.name} is managed by AWS and cannot be deleted.", code="InvalidInput")
    if found.users.exists() or found.groups.exists() or found.roles.exists():
        raise Conflict(
            f"Cannot delete policy {found.name}: detach it from users, groups and roles first.", code="DeleteConflict"
        )
    found.delete()


def _check_document(document: str) -> None:
    if len("".join(document.split())) > MAX_POLICY_CHARACTERS:
        raise LimitExceeded(f"A policy has at most {MAX_POLICY_CHARACTERS} characters without white space.")
    policy.parse(document)


def create_policy(principal: Principal, name: str, document: str, *, path: str = "/", description: str = "") -> Policy:
    """A policy of this account; raises MalformedPolicy with the place of the fault."""
    authorize(principal, "iam:CreatePolicy", arn.policy_arn(settings.ACCOUNT_ID, path, name))
    _check_document(document)
    created = Policy(name=name, path=path, description=description, document=document)
    _clean(created)
    try:
        with transaction.atomic():
            created.save()
    except IntegrityError:
        raise Conflict(f"A policy called {name} already exists.", code="EntityAlreadyExists") from None
    return created


def create_access_key(principal: Principal, user_name: str) -> tuple[AccessKey, str]:
    """The key and its secret, which is shown only here."""
    return credentials.issue_access_key(user_for(principal, "iam:CreateAccessKey", user_name))


def list_access_keys(principal: Principal, user_name: str) -> QuerySet[AccessKey]:
    return user_for(principal, "iam:ListAccessKeys", user_name).access_keys.all()


def update_access_key(principal: Principal, user_name: str, access_key_id: str, status: str) -> None:
    user = user_for(principal, "iam:UpdateAccessKey", user_name)
    _set_status(_access_key(user, access_key_id), status)


def delete_access_key(principal: Principal, user_name: str, access_key_id: str) -> None:
    _access_key(user_for(principal, "iam:DeleteAccessKey", user_name), access_key_id).delete()


def create_git_credential(principal: Principal, user_name: str) -> tuple[GitCredential, str]:
    """The credential and its password, which is shown only here."""
    return credentials.issue_git_credential(user_for(principal, "iam:CreateServiceSpecificCredential", user_name))


def list_git_credentials(principal: Principal, user_name: str) -> QuerySet[GitCredential]:
    return user_for(principal, "iam:ListServiceSpecificCredentials", user_name).git_credentials.all()


def reset_git_credential(principal: Principal, user_name: str, credential_id: str) -> tuple[GitCredential, str]:
    user = user_for(principal, "iam:ResetServiceSpecificCredential", user_name)
    credential = _git_credential(user, credential_id)
    return credential, credentials.reset_git_credential(credential)


def update_git_credential(principal: Principal, user_name: str, credential_id: str, status: str) -> None:
    user = user_for(principal, "iam:UpdateServiceSpecificCredential", user_name)
    _set_status(_git_credential(user, credential_id), status)


def delete_git_credential(principal: Principal, user_name: str, credential_id: str) -> None:
    user = user_for(principal, "iam:DeleteServiceSpecificCredential", user_name)
    _git_credential(user, credential_id).delete()


def _access_key(user: User, access_key_id: str) -> AccessKey:
    key = user.access_keys.filter(access_key_id=access_key_id).first()
    if key is None:
        raise NotFound(f"The Access Key with id {access_key_id} cannot be found.", code="NoSuchEntity")
    return key


def _git_credential(user: User, credential_id: str) -> GitCredential:
    credential = user.git_credentials.filter(credential_id=credential_id).first()
    if credential is None:
        raise NotFound(f"No such credential {credential_id} exists.", code="NoSuchEntity")
    return credential


def _set_status(credential: AccessKey | GitCredential, status: str) -> None:
    if status not in CredentialStatus.values:
        raise InvalidInput(f"Status must be Active or Inactive, not “{status}”.", code="InvalidInput")
    credential.status = status
    credential.save(update_fields=["status"])


def _clean(row: User | Group | Policy) -> None:
    try:
        row.clean_fields(exclude=["password"])
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages), code="ValidationError") from None
