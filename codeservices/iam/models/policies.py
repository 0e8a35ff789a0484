"""Policy documents: managed ones with their versions, and those that stand in one user, group or role."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from codeservices.iam import arn, identifiers
from codeservices.iam.names import validate_name, validate_path


class PolicyManager(models.Manager["Policy"]):
    """Makes a policy together with its first version, without which it says nothing."""

    @transaction.atomic
    def create_with_document(self, document: str, *, version_number: int = 1, **fields: Any) -> Policy:
        """A policy whose default version is the document."""
        policy = self.create(last_version_number=version_number, **fields)
        policy.versions.create(number=version_number, document=document, is_default=True)
        return policy


class Policy(models.Model):
    """A managed policy: a name under which documents, its versions, are attached to users, groups and roles."""

    name = models.CharField(max_length=128, validators=[validate_name])
    path = models.CharField(max_length=512, default="/", validators=[validate_path])
    policy_id = models.CharField(max_length=32, unique=True, default=identifiers.new_policy_id, editable=False)
    description = models.CharField(max_length=1000, blank=True)
    is_aws_managed = models.BooleanField(default=False, editable=False)
    last_version_number = models.PositiveIntegerField(default=1, editable=False)
    tags = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = PolicyManager()

    class Meta:
        verbose_name_plural = "policies"
        ordering = ["name"]
        constraints = [models.UniqueConstraint("is_aws_managed", Lower("name"), name="policy_name_unique")]

    def __str__(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        return arn.policy_arn("aws" if self.is_aws_managed else settings.ACCOUNT_ID, self.path, self.name)

    @property
    def default_version(self) -> PolicyVersion:
        """The version that is in force."""
        return self.versions.get(is_default=True)

    @property
    def document(self) -> str:
        """The JSON text that is in force."""
        return self.default_version.document


class PolicyVersion(models.Model):
    """One document of a managed policy; numbers are never given twice."""

    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    document = models.TextField(help_text="The policy's JSON document.")
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["policy", "number"], name="policy_version_unique"),
            models.UniqueConstraint(fields=["policy"], condition=Q(is_default=True), name="policy_version_default"),
        ]

    def __str__(self) -> str:
        return f"{self.policy} {self.version_id}"

    @property
    def version_id(self) -> str:
        """The version as IAM names it: v1, v2, …"""
        return f"v{self.number}"


class InlinePolicy(models.Model):
    """A document that belongs to one user, group or role and dies with it."""

    user = models.ForeignKey("User", null=True, on_delete=models.CASCADE, related_name="inline_policies")
    group = models.ForeignKey("Group", null=True, on_delete=models.CASCADE, related_name="inline_policies")
    role = models.ForeignKey("Role", null=True, on_delete=models.CASCADE, related_name="inline_policies")
    name = models.CharField(max_length=128, validators=[validate_name])
    document = models.TextField(help_text="The policy's JSON document.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "inline policies"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="inline_policy_of_user"),
            models.UniqueConstraint(fields=["group", "name"], name="inline_policy_of_group"),
            models.UniqueConstraint(fields=["role", "name"], name="inline_policy_of_role"),
            models.CheckConstraint(
                name="inline_policy_has_one_owner",
                condition=Q(user__isnull=False, group__isnull=True, role__isnull=True)
                | Q(user__isnull=True, group__isnull=False, role__isnull=True)
                | Q(user__isnull=True, group__isnull=True, role__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.source

    @property
    def owner(self) -> Any:
        """The user, group or role that the policy stands in."""
        return self.user or self.group or self.role

    @property
    def source(self) -> str:
        """What decisions call it: `user/alice/NAME`, `group/developers/NAME`, `role/builder/NAME`."""
        kind = "user" if self.user_id else "group" if self.group_id else "role"
        return self.source_of(kind, self.owner.name, self.name)

    @staticmethod
    def source_of(kind: str, owner_name: str, name: str) -> str:
        """The same without a row at hand."""
        return f"{kind}/{owner_name}/{name}"
