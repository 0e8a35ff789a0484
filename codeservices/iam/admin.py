"""Users, groups, policies, roles and keys in Django's admin.

Each change is authorized and recorded under the same IAM action as in the console; secrets and passwords are neither
shown nor set here.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group as DjangoGroup
from django.http import HttpRequest

from codeservices.iam.authorize import authorize, is_allowed
from codeservices.iam.models import AccessKey, GitCredential, Group, Policy, Role, User

# Django's own groups carry permissions that nothing here asks for.
admin.site.unregister(DjangoGroup)


class ActionAdmin(admin.ModelAdmin):
    """An admin whose buttons and changes ask for IAM actions on the row's ARN."""

    add_action = ""
    change_action = ""
    delete_action = ""
    # Many-to-many field: the actions that adding to it and taking from it need.
    related_actions: dict[str, tuple[str, str]] = {}

    def _may(self, request: HttpRequest, action: str, obj: Any) -> bool:
        resource = _arn(obj) if obj is not None else "*"
        return bool(action) and is_allowed(request.principal, action, resource)  # type: ignore[attr-defined]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and self._may(request, self.add_action, None)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._may(request, self.change_action, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may(request, self.delete_action, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        authorize(request.principal, self.change_action if change else self.add_action, _arn(obj))  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        for field, (add, remove) in self.related_actions.items():
            if field in form.changed_data:
                before = set(getattr(form.instance, field).all())
                after = set(form.cleaned_data[field])
                for action in (add,) * bool(after - before) + (remove,) * bool(before - after):
                    authorize(request.principal, action, _arn(form.instance))  # type: ignore[attr-defined]
        super().save_related(request, form, formsets, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        authorize(request.principal, self.delete_action, _arn(obj))  # type: ignore[attr-defined]
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for obj in queryset:
            self.delete_model(request, obj)


def _arn(obj: Any) -> str:
    """The row's own ARN; a key has none and is acted on through its user's."""
    return str(obj.user.arn if isinstance(obj, AccessKey | GitCredential) else obj.arn)


@admin.register(User)
class UserAdmin(ActionAdmin):
    add_action, change_action, delete_action = "iam:CreateUser", "iam:UpdateUser", "iam:DeleteUser"
    related_actions = {"policies": ("iam:AttachUserPolicy", "iam:DetachUserPolicy")}
    list_display = ["name", "email", "is_active", "last_login", "created_at"]
    list_filter = ["is_active", "groups"]
    search_fields = ["name", "email", "user_id"]
    fields = ["name", "path", "email", "is_active", "policies", "groups", "user_id", "last_login", "created_at"]
    readonly_fields = ["groups", "user_id", "last_login", "created_at"]
    filter_horizontal = ["policies"]


@admin.register(Group)
class GroupAdmin(ActionAdmin):
    add_action, change_action, delete_action = "iam:CreateGroup", "iam:UpdateGroup", "iam:DeleteGroup"
    related_actions = {"policies": ("iam:AttachGroupPolicy", "iam:DetachGroupPolicy")}
    list_display = ["name", "path", "created_at"]
    search_fields = ["name", "group_id"]
    fields = ["name", "path", "policies", "group_id", "created_at"]
    readonly_fields = ["group_id", "created_at"]
    filter_horizontal = ["policies"]


@admin.register(Policy)
class PolicyAdmin(ActionAdmin):
    delete_action = "iam:DeletePolicy"
    list_display = ["name", "is_aws_managed", "description", "updated_at"]
    list_filter = ["is_aws_managed"]
    search_fields = ["name", "description", "policy_id"]
    fields = readonly_fields = (
        "name",
        "path",
        "description",
        "document",
        "policy_id",
        "is_aws_managed",
        "created_at",
        "updated_at",
    )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not (obj and obj.is_aws_managed) and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}  # deleting many at once would not look at each row's owner


@admin.register(Role)
class RoleAdmin(ActionAdmin):
    add_action, change_action, delete_action = "iam:CreateRole", "iam:UpdateRole", "iam:DeleteRole"
    related_actions = {"policies": ("iam:AttachRolePolicy", "iam:DetachRolePolicy")}
    list_display = ["name", "description", "created_at"]
    search_fields = ["name", "role_id", "description"]
    fields = ["name", "path", "description", "trust_policy", "policies", "role_id", "created_at"]
    readonly_fields = ["role_id", "created_at"]
    filter_horizontal = ["policies"]


@admin.register(AccessKey)
class AccessKeyAdmin(ActionAdmin):
    change_action, delete_action = "iam:UpdateAccessKey", "iam:DeleteAccessKey"
    list_display = ["access_key_id", "user", "status", "last_used_at", "last_used_service", "created_at"]
    list_filter = ["status"]
    search_fields = ["access_key_id", "user__name"]
    readonly_fields = [
        "access_key_id",
        "user",
        "last_used_at",
        "last_used_service",
        "last_used_region",
        "created_at",
    ]
    fields = [*readonly_fields, "status"]


@admin.register(GitCredential)
class GitCredentialAdmin(ActionAdmin):
    change_action, delete_action = "iam:UpdateServiceSpecificCredential", "iam:DeleteServiceSpecificCredential"
    list_display = ["service_user_name", "user", "status", "last_used_at", "created_at"]
    list_filter = ["status"]
    search_fields = ["service_user_name", "credential_id", "user__name"]
    readonly_fields = ["service_user_name", "credential_id", "user", "last_used_at", "created_at"]
    fields = [*readonly_fields, "status"]
