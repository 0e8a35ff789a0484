"""What authenticates a user or a role's session: access keys, git credentials, SSH keys, temporary credentials."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from codeservices.iam import identifiers
from codeservices.iam.models.identities import Role, User


class CredentialStatus(models.TextChoices):
    """Whether a credential counts, in IAM's words."""

    ACTIVE = "Active", "Active"
    INACTIVE = "Inactive", "Inactive"


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


class SshPublicKey(models.Model):
    """A public key for git over SSH; the private half never leaves the user's machine."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="ssh_public_keys")
    key_id = models.CharField(max_length=128, unique=True, default=identifiers.new_ssh_key_id, editable=False)
    body = models.TextField(editable=False, help_text="As it was uploaded: `ssh-rsa AAAA… comment`, or PEM.")
    # MD5 of the key's bytes as IAM shows it: 16 pairs of hex digits joined by colons.
    fingerprint = models.CharField(max_length=48, editable=False)
    status = models.CharField(max_length=8, choices=CredentialStatus, default=CredentialStatus.ACTIVE)
    uploaded_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = "SSH public key"
        ordering = ["uploaded_at"]
        constraints = [models.UniqueConstraint(fields=["user", "fingerprint"], name="ssh_public_key_unique")]

    def __str__(self) -> str:
        return self.key_id


class TemporaryCredential(models.Model):
    """A key with a session token that ends by itself: of a role's session, or of a user who asked STS for one."""

    access_key_id = models.CharField(
        max_length=128, unique=True, default=identifiers.new_temporary_key_id, editable=False
    )
    encrypted_secret = models.TextField(editable=False)
    token_hash = models.CharField(max_length=64, editable=False, help_text="Keyed hash of the session token.")
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="temporary_credentials")
    role = models.ForeignKey(Role, null=True, on_delete=models.CASCADE, related_name="temporary_credentials")
    session_name = models.CharField(max_length=64, blank=True, editable=False)
    # JSON documents that bound what the session may do, and tags that its principal carries besides the role's.
    session_policies = models.JSONField(default=list, editable=False)
    session_tags = models.JSONField(default=dict, editable=False)
    is_mfa_authenticated = models.BooleanField(default=False, editable=False)
    issued_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(editable=False, db_index=True)

    class Meta:
        ordering = ["issued_at"]
        constraints = [
            models.CheckConstraint(
                name="temporary_credential_has_one_owner",
                condition=Q(user__isnull=False, role__isnull=True) | Q(user__isnull=True, role__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return self.access_key_id
