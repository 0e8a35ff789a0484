"""Users, groups, roles, policies, and the credentials that authenticate them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from codeservices.iam import arn, identifiers
from codeservices.iam.principal import Principal

validate_user_name = RegexValidator(
    r"\A[\w+=,.@-]{1,64}\Z", "A user name has 1 to 64 letters, digits or the characters _ + = , . @ -."
)
validate_name = RegexValidator(
    r"\A[\w+=,.@-]{1,128}\Z", "A name has 1 to 128 letters, digits or the characters _ + = , . @ -."
)
validate_path = RegexValidator(r"\A/([\x21-\x7e]+/)?\Z", "A path begins and ends with a slash, as in /division/team/.")


class CredentialStatus(models.TextChoices):
    ACTIVE = "Active", "Active"
    INACTIVE = "Inactive", "Inactive"


class Policy(models.Model):
    """A policy document with a name, attached to users, groups and roles."""

    name = models.CharField(max_length=128, validators=[validate_name])
    path = models.CharField(max_length=512, default="/", validators=[validate_path])
    policy_id = models.CharField(max_length=32, unique=True, default=identifiers.new_policy_id, editable=False)
    description = models.CharField(max_length=1000, blank=True)
    is_aws_managed = models.BooleanField(default=False, editable=False)
    document = models.TextField(help_text="The policy's JSON document.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "policies"
        ordering = ["name"]
        constraints = [models.UniqueConstraint("is_aws_managed", Lower("name"), name="policy_name_unique")]

    def __str__(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        return arn.policy_arn("aws" if self.is_aws_managed else settings.ACCOUNT_ID, self.path, self.name)


class Group(models.Model):
    """Users that share policies."""

    name = models.CharField(max_length=128, validators=[validate_name])
    path = models.CharField(max_length=512, default="/", validators=[validate_path])
    group_id = models.CharField(max_length=32, unique=True, default=identifiers.new_group_id, editable=False)
    policies = models.ManyToManyField(Policy, blank=True, related_name="groups")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(Lower("name"), name="group_name_unique")]

    def __str__(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        return arn.group_arn(settings.ACCOUNT_ID, self.path, self.name)


class UserManager(BaseUserManager["User"]):
    """Finds users by name whatever the case, as IAM does."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(name__iexact=username)


class User(AbstractBaseUser):
    """A person or a script with a name of its own. What it may do is decided by policies alone."""

    name = models.CharField(max_length=64, validators=[validate_user_name])
    path = models.CharField(max_length=512, default="/", validators=[validate_path])
    user_id = models.CharField(max_length=32, unique=True, default=identifiers.new_user_id, editable=False)
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True, help_text="An inactive user can neither sign in nor use any key.")
    groups = models.ManyToManyField(Group, blank=True, related_name="users")
    policies = models.ManyToManyField(Policy, blank=True, related_name="users")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = UserManager()
    USERNAME_FIELD = "name"
    EMAIL_FIELD = "email"

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(Lower("name"), name="user_name_unique")]

    def __str__(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        return arn.user_arn(settings.ACCOUNT_ID, self.path, self.name)

    @property
    def principal(self) -> Principal:
        """Who this user is to `authorize`."""
        return Principal("user", self.arn, settings.ACCOUNT_ID, self.user_id, self.name, user_pk=self.pk)

    # Django's admin asks these; the answer comes from the same policies as everything else.
    @property
    def is_staff(self) -> bool:
        return self._may_administer()

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return self._may_administer()

    def has_module_perms(self, app_label: str) -> bool:
        return self._may_administer()

    def _may_administer(self) -> bool:
        from codeservices.iam.authorize import is_allowed

        return self.is_active and is_allowed(self.principal, "codeservices:UseAdminPanel", "*")


class Role(models.Model):
    """An identity that a service takes on; a build project's service role decides what its builds may do."""

    name = models.CharField(max_length=64, validators=[validate_user_name])
    path = models.CharField(max_length=512, default="/", validators=[validate_path])
    role_id = models.CharField(max_length=32, unique=True, default=identifiers.new_role_id, editable=False)
    description = models.CharField(max_length=1000, blank=True)
    trust_policy = models.TextField(help_text="Who may assume the role: a JSON policy document.")
    policies = models.ManyToManyField(Policy, blank=True, related_name="roles")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(Lower("name"), name="role_name_unique")]

    def __str__(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        return arn.role_arn(settings.ACCOUNT_ID, self.path, self.name)

    def session(self, session_name: str) -> Principal:
        """The principal that acts as this role under the given session name."""
        return Principal(
            "role",
            arn.assumed_role_arn(settings.ACCOUNT_ID, self.name, session_name),
            settings.ACCOUNT_ID,
            f"{self.role_id}:{session_name}",
            self.name,
            role_pk=self.pk,
            session_name=session_name,
        )


class AccessKey(models.Model):
    """A key that signs API requests. The secret must be recoverable to verify a signature, so it lies encrypted."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="access_keys")
    access_key_id = models.CharField(max_length=128, unique=True, default=identifiers.new_access_key_id, editable=False)
    encrypted_secret = models.TextField(editable=False)
    status = models.CharField(max_length=8, choices=CredentialStatus, default=CredentialStatus.ACTIVE)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    last_used_service = models.CharField(max_length=64, blank=True, editable=False)
    last_used_region = models.CharField(max_length=64, blank=True, editable=False)

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return self.access_key_id


class GitCredential(models.Model):
    """A user name and password for git over HTTPS ("service-specific credential"). Only a keyed hash is stored."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="git_credentials")
    credential_id = models.CharField(
        max_length=128, unique=True, default=identifiers.new_git_credential_id, editable=False
    )
    service_user_name = models.CharField(max_length=200, unique=True, editable=False)
    password_hash = models.CharField(max_length=64, editable=False)
    status = models.CharField(max_length=8, choices=CredentialStatus, default=CredentialStatus.ACTIVE)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return self.service_user_name
