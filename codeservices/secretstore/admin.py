"""Parameters and secrets as an operator sees them: everything but what they hold."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from codeservices.admin import columns
from codeservices.admin.base import ActionAdmin
from codeservices.iam import resource_tags
from codeservices.iam.authorize import is_allowed
from codeservices.secretstore.models import Parameter, ParameterVersion, Secret, SecretVersion


class OfOwner(ActionAdmin):
    """Rows of parameters or secrets: those that one may look at, as in the console."""

    owner_field = "pk"
    owner_model: Any = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        hidden = []
        for one in self.owner_model.objects.all():
            resource_tags.remember(one.arn, one.tags)
            if not is_allowed(request.principal, self.view_action, one.arn):  # type: ignore[attr-defined]
                hidden.append(one.pk)
        return found.exclude(**{f"{self.owner_field}__in": hidden}) if hidden else found

    @admin.display(description="ARN")
    def row_arn(self, obj: Any) -> str:
        return str(obj.arn)


class OfParameter(OfOwner):
    list_action, view_action = "ssm:DescribeParameters", "ssm:GetParameterHistory"
    owner_model = Parameter


@admin.register(Parameter)
class ParameterAdmin(OfParameter):
    """Parameters by name."""

    list_display = ("name", "version", "created_at")
    search_fields = ("name",)
    search_help_text = "Name"
    fields = ("name", "row_arn", "version", "tags", "created_at", "kept_versions", "elsewhere")

    @admin.display(description="versions")
    def kept_versions(self, obj: Parameter) -> str:
        return columns.list_link(ParameterVersion, "Versions", parameter__id__exact=obj.pk)

    @admin.display(description="elsewhere")
    def elsewhere(self, obj: Parameter) -> str:
        return columns.console_link("secretstore:parameter", obj.resource_name)


@admin.register(ParameterVersion)
class ParameterVersionAdmin(OfParameter):
    """What each parameter was, without its values."""

    owner_field = "parameter"
    list_display = ("parameter", "number", "type", "tier", "modified_by", "modified_at")
    list_filter = ("type", "tier")
    list_select_related = ("parameter",)
    filter_links = ("parameter",)
    search_fields = ("parameter__name",)
    search_help_text = "Name of the parameter"
    fields = (
        "parameter",
        "number",
        "type",
        "tier",
        "data_type",
        "description",
        "allowed_pattern",
        "labels",
        "modified_by",
        "modified_at",
    )

    def owner_of(self, obj: ParameterVersion) -> Parameter:
        return obj.parameter


class OfSecret(OfOwner):
    list_action, view_action = "secretsmanager:ListSecrets", "secretsmanager:DescribeSecret"
    owner_model = Secret


@admin.register(Secret)
class SecretAdmin(OfSecret):
    """Secrets by name."""

    list_display = ("name", "description", "last_used_at", "changed_at", "purge_at")
    search_fields = ("name", "description")
    search_help_text = "Name or description"
    fields = (
        "name",
        "row_arn",
        "description",
        "tags",
        "created_by",
        "created_at",
        "changed_at",
        "last_used_at",
        "purge_at",
        "kept_versions",
        "elsewhere",
    )

    @admin.display(description="versions")
    def kept_versions(self, obj: Secret) -> str:
        return columns.list_link(SecretVersion, "Versions", secret__id__exact=obj.pk)

    @admin.display(description="elsewhere")
    def elsewhere(self, obj: Secret) -> str:
        return columns.console_link("secretstore:secret", obj.name)


@admin.register(SecretVersion)
class SecretVersionAdmin(OfSecret):
    """The versions of secrets and their stages, without what they hold."""

    owner_field = "secret"
    list_display = ("secret", "version_id", "stages", "created_at", "last_used_at")
    list_select_related = ("secret",)
    filter_links = ("secret",)
    search_fields = ("secret__name", "version_id")
    search_help_text = "Name of the secret, or version id"
    fields = ("secret", "version_id", "stages", "is_binary", "created_at", "last_used_at")

    def owner_of(self, obj: SecretVersion) -> Secret:
        return obj.secret
