"""Users, the groups they are in, and roles."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from codeservices.iam import arn, identifiers
from codeservices.iam.models.policies import Policy
from codeservices.iam.names import validate_name, validate_path, validate_role_name, validate_user_name
from codeservices.iam.principal import Principal


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
    tags = models.JSONField(default=dict, blank=True)
    password_set_at = models.DateTimeField(null=True, editable=False)
    password_reset_required = models.BooleanField(
        default=False, help_text="The next sign-in asks for a new password before anything else."
    )
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
        return Principal(
            "user",
            self.arn,
            settings.ACCOUNT_ID,
            self.user_id,
            self.name,
            user_pk=self.pk,
            tags=tuple(sorted(self.tags.items())),
        )

    # Django's admin asks these. The authentication backends answer, as they do for Django's own users: backends.py asks
    # the policies, which models know nothing of.
    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return any(backend.has_perm(self, perm, obj) for backend in auth.get_backends())

    def has_module_perms(self, app_label: str) -> bool:
        return self.has_perm(app_label)

    @property
    def is_staff(self) -> bool:
        return self.has_perm("admin")


class Role(models.Model):
    """An identity that services and users take on for a while; a project's service role decides what builds may do."""

    name = models.CharField(max_length=64, validators=[validate_role_name])
    path = models.CharField(max_length=512, default="/", validators=[validate_path])
    role_id = models.CharField(max_length=32, unique=True, default=identifiers.new_role_id, editable=False)
    description = models.CharField(max_length=1000, blank=True)
    trust_policy = models.TextField(help_text="Who may assume the role: a JSON policy document.")
    # The users and roles that the trust policy names: ARN to unique id, as they were when it was written. Whoever has
    # got the name since is not meant.
    trusted_ids = models.JSONField(default=dict, editable=False)
    max_session_seconds = models.PositiveIntegerField(default=3600)
    policies = models.ManyToManyField(Policy, blank=True, related_name="roles")
    tags = models.JSONField(default=dict, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False)
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
            role_arn=self.arn,
            session_name=session_name,
            tags=tuple(sorted(self.tags.items())),
        )
