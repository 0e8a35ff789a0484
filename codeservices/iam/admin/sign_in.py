"""What signing in rests on, in the admin panel: sessions, second factors, outside identities, locks, password policy.

Session keys, secrets of devices, recovery codes and former passwords are not shown anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from codeservices.admin import columns
from codeservices.admin.acts import row_act
from codeservices.admin.base import ActionAdmin, RowActions
from codeservices.audit.acts import current_act
from codeservices.http import ConsoleRequest
from codeservices.iam import mfa, oidc, password_policy, sessions, throttle
from codeservices.iam.admin.credentials import ExpiryFilter, hidden_owners
from codeservices.iam.authorize import is_allowed
from codeservices.iam.models import (
    AccountPasswordPolicy,
    ConsoleSession,
    FederatedIdentity,
    MfaDevice,
    SignInCounter,
    User,
)


class OfUser(ActionAdmin):
    """What belongs to a user's sign-in: of those users whose sign-in one may look at.

    Attributes:
        related_name: A user's rows of this kind.
    """

    related_name = ""
    list_action = view_action = "iam:GetLoginProfile"
    delete_action = "iam:UpdateLoginProfile"
    list_select_related = ("user",)
    filter_links = ("user",)

    def owner_of(self, obj: Any) -> Any:
        return obj.user

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        hidden = hidden_owners(self.view_action, request, User, self.related_name)
        return found.exclude(user__in=hidden, user__isnull=False) if hidden else found

    @admin.display(description="user", ordering="user__name")
    def owner(self, obj: Any) -> str:
        return columns.link(obj.user)


class SessionStateFilter(ExpiryFilter):
    field = "expire_date"


@admin.register(ConsoleSession)
class ConsoleSessionAdmin(OfUser):
    """Who is signed in where; deleting a session signs that browser out at once."""

    related_name = "sessions"
    list_display = ("started", "owner", "source_ip", "browser", "has_mfa", "last_seen_at", "expire_date")
    list_filter = (SessionStateFilter, "is_mfa_authenticated")
    search_fields = ("user__name", "source_ip", "user_agent")
    search_help_text = "User name, address or browser"
    date_hierarchy = "created_at"
    fields = ("owner", "source_ip", "user_agent", "is_mfa_authenticated", "created_at", "last_seen_at", "expire_date")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without those in which nobody has signed in yet."""
        return super().get_queryset(request).filter(user__isnull=False)

    def remove(self, request: ConsoleRequest, obj: ConsoleSession) -> None:
        assert obj.user is not None  # get_queryset
        _tell(userName=obj.user.name, sessionId=str(obj.session_id))
        sessions.end_session(request.principal, obj.user, str(obj.session_id))

    @admin.action(description="End selected sessions")
    def delete_selected(self, request: ConsoleRequest, queryset: QuerySet[Any]) -> Any:
        return super().delete_selected(request, queryset)

    @admin.display(description="signed in", ordering="created_at")
    def started(self, obj: ConsoleSession) -> Any:
        return obj.created_at

    @admin.display(description="MFA", ordering="is_mfa_authenticated", boolean=True)
    def has_mfa(self, obj: ConsoleSession) -> bool:
        return obj.is_mfa_authenticated

    @admin.display(description="browser", ordering="user_agent")
    def browser(self, obj: ConsoleSession) -> str:
        return obj.user_agent[:80] or "–"


@admin.register(MfaDevice)
class MfaDeviceAdmin(OfUser):
    """Virtual MFA devices. Deleting one that is somebody's takes it from them, and their sessions end."""

    related_name = "mfa_devices"
    list_action, view_action = "iam:ListVirtualMFADevices", "iam:ListMFADevices"
    delete_action = "iam:DeactivateMFADevice"
    list_display = ("name", "owner", "enabled_at", "created_at")
    list_filter = (("user", admin.EmptyFieldListFilter),)
    search_fields = ("name", "user__name")
    search_help_text = "Name of the device or of its user"
    date_hierarchy = "created_at"
    fields = ("name", "path", "serial_number", "owner", "enabled_at", "tags", "created_at")

    def resource_of(self, obj: MfaDevice) -> str:
        return obj.serial_number if obj.user is None else obj.user.arn

    def actions_of(self, obj: MfaDevice | None) -> RowActions:
        is_free = obj is not None and obj.user is None
        return RowActions(self.view_action, (), "iam:DeleteVirtualMFADevice" if is_free else self.delete_action)

    def remove(self, request: ConsoleRequest, obj: MfaDevice) -> None:
        _tell(serialNumber=obj.serial_number)
        if obj.user is None:
            mfa.delete_device(request.principal, obj.serial_number)
        else:
            mfa.deactivate_device(request.principal, obj.user, obj.serial_number)


@admin.register(FederatedIdentity)
class FederatedIdentityAdmin(OfUser):
    """Accounts at the identity provider. Deleting one ends that way in, and the user's sessions."""

    related_name = "federated_identities"
    list_display = ("subject", "issuer", "owner", "created_at")
    search_fields = ("subject", "issuer", "user__name")
    search_help_text = "Subject, issuer or user name"
    date_hierarchy = "created_at"
    fields = ("owner", "issuer", "subject", "created_at")

    def remove(self, request: ConsoleRequest, obj: FederatedIdentity) -> None:
        _tell("UnlinkFederatedIdentity", userName=obj.user.name, issuer=obj.issuer, subject=obj.subject)
        oidc.unbind(request.principal, obj)


class LockFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("locked", "Has to wait")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(locked_until__gt=timezone.now()) if self.value() == "locked" else queryset


@admin.register(SignInCounter)
class SignInCounterAdmin(ActionAdmin):
    """Wrong tries by name and by address. Deleting a counter lifts its lock.

    A name is stored as a hash; it is shown where it is a user's.
    """

    list_action = view_action = "iam:GetLoginProfile"
    delete_action = "iam:UpdateLoginProfile"
    list_display = ("who", "kind", "count", "counted_at", "locked_until")
    list_filter = ("kind", LockFilter)
    search_fields = ("subject",)
    search_help_text = "User name or source address"
    fields = ("who", "kind", "count", "counted_at", "locked_until")
    ordering = ("-counted_at",)

    def resource_of(self, obj: SignInCounter) -> str:
        user = throttle.user_of(obj)
        return "*" if user is None else user.arn

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without the counters of those users whose sign-in one may not look at."""
        found: QuerySet[Any] = super().get_queryset(request)
        asked: Any = request
        counted = set(SignInCounter.objects.filter(kind=throttle.NAME).values_list("subject", flat=True))
        hidden = [
            subject
            for subject, user in self._users(request).items()
            if subject in counted and not is_allowed(asked.principal, self.view_action, user.arn)
        ]
        return found.exclude(kind=throttle.NAME, subject__in=hidden) if hidden else found

    def get_object(self, request: Any, object_id: str, from_field: str | None = None) -> Any:
        found: Any = super().get_object(request, object_id, from_field)
        if found is not None:
            found.known_user = self._users(request).get(found.subject)
        return found

    def get_changelist_instance(self, request: Any) -> Any:
        changelist = super().get_changelist_instance(request)
        for row in changelist.result_list:
            row.known_user = self._users(request).get(row.subject)
        return changelist

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """A whole user name or address: what is stored of a name can't be searched by letters."""
        typed = search_term.strip()
        if not typed:
            return queryset, False
        return queryset.filter(subject__in=[throttle.subject_of(typed), throttle.network_of(typed)]), False

    def remove(self, request: ConsoleRequest, obj: SignInCounter) -> None:
        user = throttle.user_of(obj)
        address = obj.subject if obj.kind == throttle.ADDRESS else None
        _tell("LiftSignInLock", userName=user.name if user is not None else None, sourceIPAddress=address)
        throttle.lift_counter(request.principal, obj)

    @admin.action(description="Lift the locks of selected counters")
    def delete_selected(self, request: ConsoleRequest, queryset: QuerySet[Any]) -> Any:
        return super().delete_selected(request, queryset)

    @admin.display(description="name or address")
    def who(self, obj: Any) -> str:
        if obj.kind == throttle.ADDRESS:
            return str(obj.subject)
        return columns.link(obj.known_user) if obj.known_user is not None else "a name that is nobody’s"

    def _users(self, request: Any) -> dict[str, User]:
        """Every user by the hash of its name, asked for once a request."""
        if not hasattr(request, "users_by_subject"):
            request.users_by_subject = throttle.users_by_subject()
        found: dict[str, User] = request.users_by_subject
        return found


@admin.register(AccountPasswordPolicy)
class AccountPasswordPolicyAdmin(ActionAdmin):
    """The one password policy of the account; without it, the product's own rules hold."""

    list_action = view_action = "iam:GetAccountPasswordPolicy"
    add_action = "iam:UpdateAccountPasswordPolicy"
    change_actions, delete_action = ("iam:UpdateAccountPasswordPolicy",), "iam:DeleteAccountPasswordPolicy"
    list_display = ("__str__", "minimum_length", "max_age_days", "remembered_passwords", "hard_expiry", "updated_at")
    fields = (
        "minimum_length",
        "require_symbols",
        "require_numbers",
        "require_uppercase",
        "require_lowercase",
        "allow_users_to_change_password",
        "max_age_days",
        "remembered_passwords",
        "hard_expiry",
    )

    def resource_of(self, obj: AccountPasswordPolicy) -> str:
        return "*"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not AccountPasswordPolicy.objects.exists()

    def create(self, request: ConsoleRequest, values: dict[str, Any]) -> AccountPasswordPolicy:
        with row_act(request, self, **values):
            return password_policy.update_policy(request.principal, **values)

    def change(
        self, request: ConsoleRequest, before: AccountPasswordPolicy, values: dict[str, Any], changed: Iterable[str]
    ) -> None:
        if changed:
            self.create(request, values)

    def remove(self, request: ConsoleRequest, obj: AccountPasswordPolicy) -> None:
        password_policy.delete_policy(request.principal)


def _tell(event_name: str = "", **parameters: Any) -> None:
    """What the event of the change that is under way says besides its action."""
    current = current_act()
    if current is None:
        return
    current.parameters |= parameters
    if event_name:  # as the commands of the same name record it
        current.event_name, current.event_source = event_name, "signin.amazonaws.com"
