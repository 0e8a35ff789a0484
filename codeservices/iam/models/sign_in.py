"""What signing in rests on: sessions, counters of tries, the password policy, second factors, outside identities."""

from __future__ import annotations

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from codeservices.iam import arn
from codeservices.iam.models.identities import User
from codeservices.iam.names import validate_name, validate_path

# IAM API Reference, UpdateAccountPasswordPolicy.
MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH = 6, 128
MAX_PASSWORD_AGE_DAYS = 1095
MAX_REMEMBERED_PASSWORDS = 24


class ConsoleSession(AbstractBaseSession):
    """One browser's session. Until somebody has signed in with it, it has no user.

    The key is what the cookie holds, so addresses and pages name the session by `session_id`.
    """

    session_id = models.UUIDField(primary_key=True, editable=False)
    session_key = models.CharField(max_length=40, unique=True, editable=False)
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="sessions", editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(default=timezone.now, editable=False)
    source_ip = models.CharField(max_length=64, blank=True, editable=False)
    user_agent = models.CharField(max_length=512, blank=True, editable=False)
    is_mfa_authenticated = models.BooleanField(default=False, editable=False)

    class Meta:
        ordering = ["-last_seen_at"]

    def __str__(self) -> str:
        return f"{self.user or 'nobody'} from {self.source_ip or 'an unknown address'}"


class SignInCounter(models.Model):
    """Tries in a row that proved nobody, for one user name or from one source address.

    What people type as their name may be their password, so a name is kept as a keyed hash.
    """

    class Kind(models.TextChoices):
        NAME = "name", "User name"
        ADDRESS = "address", "Source address"

    kind = models.CharField(max_length=8, choices=Kind)
    subject = models.CharField(max_length=64, help_text="A network, or the keyed hash of a user name.")
    count = models.PositiveIntegerField(default=0)
    counted_at = models.DateTimeField()
    locked_until = models.DateTimeField(null=True)
    is_lock_recorded = models.BooleanField(default=False, help_text="Whether the trail has a refusal by this lock.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "subject"], name="sign_in_counter_unique")]
        indexes = [models.Index(fields=["counted_at"], name="sign_in_counter_by_age")]

    def __str__(self) -> str:
        return f"tries for the {self.get_kind_display().lower()} {self.subject}"


class AccountPasswordPolicy(models.Model):
    """What passwords must be like; the account has one row, or none while nobody has set any."""

    minimum_length = models.PositiveSmallIntegerField(
        default=MIN_PASSWORD_LENGTH,
        validators=[MinValueValidator(MIN_PASSWORD_LENGTH), MaxValueValidator(MAX_PASSWORD_LENGTH)],
    )
    require_symbols = models.BooleanField(default=False)
    require_numbers = models.BooleanField(default=False)
    require_uppercase = models.BooleanField(default=False)
    require_lowercase = models.BooleanField(default=False)
    allow_users_to_change_password = models.BooleanField(default=False)
    max_age_days = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_PASSWORD_AGE_DAYS)]
    )
    remembered_passwords = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_REMEMBERED_PASSWORDS)]
    )
    hard_expiry = models.BooleanField(default=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "account password policies"
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="account_password_policy_is_one")]

    def __str__(self) -> str:
        return "password policy of the account"


class PreviousPassword(models.Model):
    """The hash of a password that a user had, so that it is not taken again."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="previous_passwords")
    password = models.CharField(max_length=128, editable=False)
    replaced_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-replaced_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.user} until {self.replaced_at:%Y-%m-%d}"


class MfaDevice(models.Model):
    """A virtual MFA device: an authenticator app that shares a secret with us. Until it is enabled it is nobody's."""

    name = models.CharField(max_length=226, validators=[validate_name])
    path = models.CharField(max_length=512, default="/", validators=[validate_path])
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="mfa_devices")
    sealed_secret = models.TextField(editable=False)
    enabled_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_step = models.BigIntegerField(
        null=True,
        blank=True,
        editable=False,
        help_text="The 30 seconds whose code was used last; it and older ones are refused.",
    )
    tags = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = "MFA device"
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(Lower("name"), name="mfa_device_name_unique"),
            models.CheckConstraint(
                name="mfa_device_is_enabled_for_somebody",
                condition=Q(user__isnull=True, enabled_at__isnull=True)
                | Q(user__isnull=False, enabled_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.serial_number

    @property
    def serial_number(self) -> str:
        """A virtual device's serial number is its ARN."""
        return arn.mfa_arn(settings.ACCOUNT_ID, self.path, self.name)


class RecoveryCode(models.Model):
    """A code that stands in for a lost device, once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes")
    code_hash = models.CharField(max_length=64, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "code_hash"], name="recovery_code_unique")]

    def __str__(self) -> str:
        return f"recovery code of {self.user}"


class FederatedIdentity(models.Model):
    """An account at the OpenID Connect provider that signs in as a user here.

    Bound by issuer and subject, which the provider never gives to anybody else; names and e-mail addresses it may.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="federated_identities")
    issuer = models.CharField(max_length=512)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "federated identities"
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="federated_identity_unique")]

    def __str__(self) -> str:
        return f"{self.subject} of {self.issuer}"
