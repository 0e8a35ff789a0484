"""Access keys, git credentials, SSH keys and temporary credentials: found, switched on and off, removed.

They are made in the console, which shows the secret once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from codeservices.admin import columns
from codeservices.admin.acts import row_act
from codeservices.admin.base import ActionAdmin
from codeservices.http import ConsoleRequest
from codeservices.iam import revocation, ssh_keys, user_credentials
from codeservices.iam.authorize import is_allowed
from codeservices.iam.models import (
    AccessKey,
    CredentialStatus,
    GitCredential,
    Role,
    SshPublicKey,
    TemporaryCredential,
    User,
)
from codeservices.iam.principal import Principal

LIST_ACCESS_KEYS = "iam:ListAccessKeys"


class CredentialAdmin(ActionAdmin):
    """What a user owns and what is active or not. It is acted on through its user's ARN.

    Attributes:
        id_field: The field that holds what the services call it by.
        related_name: A user's credentials of this kind.
        set_status, delete: The services that take the user's name and the credential's id.
    """

    id_field: str
    related_name: str
    set_status: Callable[[Principal, str, str, str], None]
    delete: Callable[[Principal, str, str], None]
    list_select_related = ("user",)
    filter_links = ("user",)
    actions = ("activate", "deactivate")

    def owner_of(self, obj: Any) -> Any:
        return obj.user

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The credentials of those whose credentials one may list."""
        found: QuerySet[Any] = super().get_queryset(request)
        hidden = hidden_owners(self.view_action, request, User, self.related_name)
        return found.exclude(user__in=hidden) if hidden else found

    def change(self, request: ConsoleRequest, before: Any, values: dict[str, Any], changed: Iterable[str]) -> None:
        if "status" in changed:
            with row_act(request, self, **self._told(before), status=values["status"]):
                self._set_status(request, before, values["status"])

    def remove(self, request: ConsoleRequest, obj: Any) -> None:
        self.delete(request.principal, obj.user.name, getattr(obj, self.id_field))

    @admin.action(description="Activate selected %(verbose_name_plural)s")
    def activate(self, request: ConsoleRequest, queryset: QuerySet[Any]) -> None:
        self.each(
            request, queryset, lambda row: self._set_status(request, row, CredentialStatus.ACTIVE), done="activated"
        )

    @admin.action(description="Deactivate selected %(verbose_name_plural)s")
    def deactivate(self, request: ConsoleRequest, queryset: QuerySet[Any]) -> None:
        self.each(
            request, queryset, lambda row: self._set_status(request, row, CredentialStatus.INACTIVE), done="deactivated"
        )

    @admin.display(description="user", ordering="user__name")
    def owner(self, obj: Any) -> str:
        return columns.link(obj.user)

    def _set_status(self, request: ConsoleRequest, obj: Any, status: str) -> None:
        self.set_status(request.principal, obj.user.name, getattr(obj, self.id_field), status)

    def _told(self, obj: Any) -> dict[str, str]:
        return {"userName": obj.user.name, self.id_field: getattr(obj, self.id_field)}


@admin.register(AccessKey)
class AccessKeyAdmin(CredentialAdmin):
    id_field, related_name = "access_key_id", "access_keys"
    set_status, delete = (
        staticmethod(user_credentials.update_access_key),
        staticmethod(user_credentials.delete_access_key),
    )
    list_action = view_action = LIST_ACCESS_KEYS
    change_actions, delete_action = ("iam:UpdateAccessKey",), "iam:DeleteAccessKey"
    list_display = ("access_key_id", "owner", "status", "last_used_at", "last_used_service", "created_at")
    list_filter = ("status", columns.LastUsedFilter)
    search_fields = ("access_key_id", "user__name")
    search_help_text = "Key id or user name"
    date_hierarchy = "created_at"
    readonly_fields = ("access_key_id", "owner", "last_used_at", "last_used_service", "last_used_region", "created_at")
    fields = (*readonly_fields, "status")


@admin.register(GitCredential)
class GitCredentialAdmin(CredentialAdmin):
    id_field, related_name = "credential_id", "git_credentials"
    set_status, delete = (
        staticmethod(user_credentials.update_git_credential),
        staticmethod(user_credentials.delete_git_credential),
    )
    list_action = view_action = "iam:ListServiceSpecificCredentials"
    change_actions = ("iam:UpdateServiceSpecificCredential",)
    delete_action = "iam:DeleteServiceSpecificCredential"
    list_display = ("service_user_name", "owner", "status", "last_used_at", "created_at")
    list_filter = ("status", columns.LastUsedFilter)
    search_fields = ("service_user_name", "credential_id", "user__name")
    search_help_text = "Git user name, credential id or user name"
    date_hierarchy = "created_at"
    readonly_fields = ("service_user_name", "credential_id", "owner", "last_used_at", "created_at")
    fields = (*readonly_fields, "status")


@admin.register(SshPublicKey)
class SshPublicKeyAdmin(CredentialAdmin):
    id_field, related_name = "key_id", "ssh_public_keys"
    set_status = staticmethod(ssh_keys.update)
    delete = staticmethod(ssh_keys.delete)
    list_action = view_action = "iam:ListSSHPublicKeys"
    change_actions, delete_action = ("iam:UpdateSSHPublicKey",), "iam:DeleteSSHPublicKey"
    list_display = ("key_id", "owner", "status", "fingerprint", "uploaded_at")
    list_filter = ("status",)
    search_fields = ("key_id", "fingerprint", "user__name")
    search_help_text = "Key id, fingerprint or user name"
    date_hierarchy = "uploaded_at"
    readonly_fields = ("key_id", "owner", "fingerprint", "uploaded_at", "public_key")
    fields = (*readonly_fields, "status")

    @admin.display(description="public key")
    def public_key(self, obj: SshPublicKey) -> str:
        return columns.code(obj.body)


class ExpiryFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"
    field = "expires_at"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("current", "In force"), ("expired", "Expired")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        ends: dict[str | None, Callable[[], QuerySet[Any]]] = {
            "current": lambda: queryset.filter(**{f"{self.field}__gt": timezone.now()}),
            "expired": lambda: queryset.filter(**{f"{self.field}__lte": timezone.now()}),
        }
        return ends.get(self.value(), lambda: queryset)()


@admin.register(TemporaryCredential)
class TemporaryCredentialAdmin(ActionAdmin):
    """Sessions of roles and users; deleting one ends it at once."""

    list_action = view_action = LIST_ACCESS_KEYS
    delete_action = revocation.ACTION
    list_display = ("access_key_id", "owner", "session_name", "is_mfa_authenticated", "issued_at", "expires_at")
    list_filter = (ExpiryFilter,)
    list_select_related = ("user", "role")
    filter_links = ("user", "role")
    search_fields = ("access_key_id", "session_name", "user__name", "role__name")
    search_help_text = "Key id, session, user or role name"
    date_hierarchy = "issued_at"
    fields = ("access_key_id", "owner", "session_name", "is_mfa_authenticated", "issued_at", "expires_at")
    ordering = ("-issued_at",)

    def owner_of(self, obj: TemporaryCredential) -> User | Role | None:
        return obj.user or obj.role

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        for field, model in (("user", User), ("role", Role)):
            hidden = hidden_owners(self.view_action, request, model, "temporary_credentials")
            if hidden:
                found = found.exclude(**{f"{field}__in": hidden, f"{field}__isnull": False})
        return found

    @admin.action(description="End selected temporary credentials")
    def delete_selected(self, request: ConsoleRequest, queryset: QuerySet[Any]) -> Any:
        return super().delete_selected(request, queryset)

    def remove(self, request: ConsoleRequest, obj: TemporaryCredential) -> None:
        revocation.end_temporary_credential(request.principal, obj.access_key_id)

    @admin.display(description="user or role")
    def owner(self, obj: TemporaryCredential) -> str:
        return columns.link(obj.user or obj.role)


def hidden_owners(action: str, request: HttpRequest, model: type[User] | type[Role], related: str) -> list[int]:
    """Those whose credentials one may not list."""
    owners = model._default_manager.filter(**{f"{related}__isnull": False}).distinct()
    asked: Any = request
    return [one.pk for one in owners if not is_allowed(asked.principal, action, one.arn)]
