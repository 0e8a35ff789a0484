"""Parameters and secrets with all their versions. What they hold is encrypted: only `sealing` reads it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from codeservices.iam import arn


class Parameter(models.Model):
    """A name, and which of its versions is the current one.

    `resource_name` is the name without the slash it may begin with. It is what an ARN has, so that “db” and “/db”,
    whose ARN would be the same, can't both be there.
    """

    resource_name = models.CharField(max_length=1011, unique=True)
    name = models.CharField(max_length=1012)
    version = models.PositiveBigIntegerField(default=1)
    tags = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["resource_name"]

    def __str__(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        return arn.parameter_arn(settings.REGION, settings.ACCOUNT_ID, self.name)


class ParameterType(models.TextChoices):
    """What a parameter holds, in Parameter Store's words."""

    STRING = "String", "String"
    STRING_LIST = "StringList", "String list"
    SECURE_STRING = "SecureString", "Secure string"


class ParameterTier(models.TextChoices):
    """How much a parameter may hold, in Parameter Store's words."""

    STANDARD = "Standard", "Standard"
    ADVANCED = "Advanced", "Advanced"


class ParameterVersion(models.Model):
    """What a parameter was from one change to the next. `sealed_value` is encrypted whatever the type is."""

    parameter = models.ForeignKey(Parameter, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveBigIntegerField()
    type = models.CharField(max_length=12, choices=ParameterType)
    tier = models.CharField(max_length=8, choices=ParameterTier, default=ParameterTier.STANDARD)
    sealed_value = models.TextField()
    description = models.CharField(max_length=1024, blank=True)
    allowed_pattern = models.CharField(max_length=1024, blank=True)
    data_type = models.CharField(max_length=128, default="text")
    labels = models.JSONField(default=list, blank=True)
    modified_by = models.CharField(max_length=600, blank=True)  # the principal's ARN
    modified_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["parameter", "-number"]
        constraints = [models.UniqueConstraint(fields=["parameter", "number"], name="parameter_version_number_unique")]

    def __str__(self) -> str:
        return f"{self.parameter}:{self.number}"

    @property
    def is_current(self) -> bool:
        return self.number == self.parameter.version

    @property
    def is_secure(self) -> bool:
        return self.type == ParameterType.SECURE_STRING


class Secret(models.Model):
    """A name and what is known of it; `suffix` are the six random characters that its ARN ends in.

    `purge_at` is set while it is deleted with a way back: until then it can be restored.
    """

    name = models.CharField(max_length=512, unique=True)
    suffix = models.CharField(max_length=6)
    description = models.CharField(max_length=2048, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    created_by = models.CharField(max_length=600, blank=True)  # the principal's ARN
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)  # the day, at midnight: one write a day is enough
    purge_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        return arn.secret_arn(settings.REGION, settings.ACCOUNT_ID, self.name, self.suffix)

    @property
    def is_deleted(self) -> bool:
        return self.purge_at is not None


class SecretVersion(models.Model):
    """One value of a secret, and the stages it has; one without any is deprecated and may be removed."""

    secret = models.ForeignKey(Secret, on_delete=models.CASCADE, related_name="versions")
    version_id = models.CharField(max_length=64)
    sealed_value = models.TextField()
    is_binary = models.BooleanField(default=False)
    stages = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["secret", "-pk"]
        constraints = [models.UniqueConstraint(fields=["secret", "version_id"], name="secret_version_id_unique")]

    def __str__(self) -> str:
        return f"{self.secret} {self.version_id}"
