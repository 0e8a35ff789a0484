"""Users and groups in the admin panel, with the policies attached to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Exists, ManyToManyField, Model, OuterRef, QuerySet
from django.http import HttpRequest

from codeservices.admin import columns
from codeservices.admin.acts import row_act
from codeservices.admin.base import ActionAdmin, LookOnlyInline
from codeservices.http import ConsoleRequest
from codeservices.iam import arn, attachments, groups, users
from codeservices.iam.attachments import Kind
from codeservices.iam.models import (
    AccessKey,
    ConsoleSession,
    FederatedIdentity,
    GitCredential,
    Group,
    InlinePolicy,
    MfaDevice,
    Policy,
    SshPublicKey,
    TemporaryCredential,
    User,
)

# What goes with a user that is deleted, as the page that asks for confirmation counts it.
USER_PARTS: tuple[type[Model], ...] = (
    AccessKey,
    GitCredential,
    SshPublicKey,
    TemporaryCredential,
    InlinePolicy,
    MfaDevice,
    FederatedIdentity,
    ConsoleSession,
)


class InlinePolicyInline(LookOnlyInline):
    model = InlinePolicy
    fields = ("name", "created_at", "updated_at")


class UserPolicyInline(InlinePolicyInline):
    fk_name, view_action = "user", "iam:ListUserPolicies"


class GroupPolicyInline(InlinePolicyInline):
    fk_name, view_action = "group", "iam:ListGroupPolicies"


class AccessKeyInline(LookOnlyInline):
    model, view_action = AccessKey, "iam:ListAccessKeys"
    fields = ("access_key_id", "status", "last_used_at", "last_used_service", "created_at")


class GitCredentialInline(LookOnlyInline):
    model, view_action = GitCredential, "iam:ListServiceSpecificCredentials"
    fields = ("service_user_name", "status", "last_used_at", "created_at")


class SshPublicKeyInline(LookOnlyInline):
    model, view_action = SshPublicKey, "iam:ListSSHPublicKeys"
    fields = ("key_id", "status", "fingerprint", "uploaded_at")


class MfaDeviceInline(LookOnlyInline):
    model, view_action = MfaDevice, "iam:ListMFADevices"
    fields = ("name", "enabled_at")


class IdentityAdmin(ActionAdmin):
    """What carries policies: attaching and detaching one is an act of its own.

    Attributes:
        kind: What it is to the services that attach.
        add_fields: What the page of a new row asks for.
        rename: The service that gives a row another name and path; it takes the old name. None where none does.
    """

    kind: Kind
    add_fields: tuple[str, ...] = ()
    rename: Callable[..., object] | None = None

    def attach_actions(self) -> tuple[str, str]:
        return f"iam:Attach{self.kind.name}Policy", f"iam:Detach{self.kind.name}Policy"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        return found.annotate(policy_count=columns.count_of(self.model.policies.through, self.kind.name.lower()))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Policies are closed to those who may neither attach nor detach any, and while there is nothing to carry."""
        fields = tuple(super().get_readonly_fields(request, obj))
        is_open = obj is not None and any(self.may(request, one, obj) for one in self.attach_actions())
        return fields if is_open else (*fields, "policies")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A new row has a name first; the page that follows has the rest."""
        return self.add_fields if obj is None else super().get_fields(request, obj)

    def formfield_for_manytomany(self, db_field: ManyToManyField[Any, Any], request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if db_field.name == "policies" and isinstance(field, forms.ModelMultipleChoiceField):
            field.label_from_instance = _policy_label  # type: ignore[method-assign,assignment]
            field.queryset = Policy.objects.order_by("is_aws_managed", "name")
        return field

    def change(self, request: ConsoleRequest, before: Any, values: dict[str, Any], changed: Iterable[str]) -> None:
        if self.rename is not None and {"name", "path"} & set(changed):
            new_name, new_path = values["name"], values["path"]
            with row_act(request, self, **self._told(before), newName=new_name, newPath=new_path):
                self.rename(request.principal, before.name, new_name=new_name, new_path=new_path)
        name = values.get("name", before.name)
        if "policies" in changed:
            self._attach(request, before, name, set(values["policies"]))

    def _attach(self, request: ConsoleRequest, before: Any, name: str, wanted: set[Policy]) -> None:
        attached = set(before.policies.all())
        # Detached first: an identity that has all it may have gets one for another in one form.
        steps = [(attachments.detach, one) for one in attached - wanted]
        steps += [(attachments.attach, one) for one in wanted - attached]
        for step, policy in sorted(steps, key=lambda each: each[0] is attachments.attach):
            with row_act(request, self, **self._told(before), policyArn=policy.arn):
                step(request.principal, self.kind, name, policy.arn)

    def with_parts(
        self,
        deleted: tuple[list[Any], dict[str, int], set[str], list[Any]],
        owners: Any,
        parts: Iterable[type[Model]],
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """What get_deleted_objects gives, with how many rows of other tables go with the owners."""
        shown, counts, needed, protected = deleted
        gone = [one.pk for one in owners]
        for model in parts:
            count = model._default_manager.filter(**{f"{self.kind.name.lower()}__in": gone}).count()
            if count:
                counts[str(model._meta.verbose_name_plural)] = count
        return shown, counts, needed, protected

    def _told(self, before: Any) -> dict[str, str]:
        return {f"{self.kind.name.lower()}Name": before.name}

    @admin.display(description="policies", ordering="policy_count")
    def policy_count(self, obj: Any) -> int:
        count: int = obj.policy_count
        return count

    @admin.display(description="ARN")
    def row_arn(self, obj: Any) -> str:
        return str(obj.arn)


@admin.register(User)
class UserAdmin(IdentityAdmin):
    kind = attachments.USER
    rename = staticmethod(users.update_user)
    list_action, view_action = "iam:ListUsers", "iam:GetUser"
    add_action, delete_action = "iam:CreateUser", "iam:DeleteUser"
    change_actions = ("iam:UpdateUser", "iam:AttachUserPolicy", "iam:DetachUserPolicy")
    list_display = (
        "name",
        "email",
        "is_active",
        "has_password",
        "has_mfa",
        "last_login",
        "group_count",
        "policy_count",
        "key_count",
    )
    list_filter = ("is_active", columns.LastSignInFilter, "groups")
    filter_links = ("policies",)
    search_fields = ("name", "email", "user_id")
    search_help_text = "Name, e-mail or user id"
    date_hierarchy = "created_at"
    add_fields = ("name", "path", "email")
    fields = (
        "name",
        "path",
        "is_active",
        "policies",
        "groups",
        "email",
        "row_arn",
        "user_id",
        "has_password",
        "password_set_at",
        "last_login",
        "created_at",
        "elsewhere",
    )
    readonly_fields = fields[6:]
    filter_horizontal = ("policies", "groups")
    inlines = (AccessKeyInline, GitCredentialInline, SshPublicKeyInline, MfaDeviceInline, UserPolicyInline)
    actions = ("activate", "deactivate")

    def add_resource(self) -> str:
        return arn.user_arn(settings.ACCOUNT_ID, "/", "*")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        group_count, key_count = columns.count_of(User.groups.through, "user"), columns.count_of(AccessKey, "user")
        has_mfa = Exists(MfaDevice.objects.filter(user=OuterRef("pk")))
        return (
            super().get_queryset(request).annotate(group_count=group_count, key_count=key_count, device_exists=has_mfa)
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        is_closed = obj is not None and not self.may(request, "iam:UpdateUser", obj)
        closed = ("name", "path", "email", "is_active") if is_closed else ()
        return (*super().get_readonly_fields(request, obj), *closed)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return () if obj is None else super().get_inlines(request, obj)

    def create(self, request: ConsoleRequest, values: dict[str, Any]) -> User:
        with row_act(request, self, userName=values["name"], path=values["path"]):
            return users.create_user(request.principal, values["name"], path=values["path"], email=values["email"])

    def change(self, request: ConsoleRequest, before: User, values: dict[str, Any], changed: Iterable[str]) -> None:
        super().change(request, before, values, changed)
        name = values.get("name", before.name)
        if "groups" in changed:
            joined, wanted = set(before.groups.all()), set(values["groups"])
            for group in joined - wanted:
                with row_act(request, self, userName=name, groupName=group.name):
                    groups.remove_user_from_group(request.principal, group.name, name)
            for group in wanted - joined:
                with row_act(request, self, userName=name, groupName=group.name):
                    groups.add_user_to_group(request.principal, group.name, name)
        if "email" in changed:
            with row_act(request, self, userName=name):
                users.update_user(request.principal, name, new_email=values["email"])
        if "is_active" in changed:
            with row_act(request, self, userName=name, isActive=values["is_active"]):
                users.set_active(request.principal, name, values["is_active"])

    def remove(self, request: ConsoleRequest, obj: User) -> None:
        users.delete_user_with_everything(request.principal, obj.name)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Users with the keys that go with them."""
        return self.with_parts(super().get_deleted_objects(objs, request), objs, USER_PARTS)

    @admin.action(description="Activate selected users")
    def activate(self, request: ConsoleRequest, queryset: QuerySet[User]) -> None:
        self.each(request, queryset, lambda row: users.set_active(request.principal, row.name, True), done="activated")

    @admin.action(description="Deactivate selected users")
    def deactivate(self, request: ConsoleRequest, queryset: QuerySet[User]) -> None:
        self.each(
            request, queryset, lambda row: users.set_active(request.principal, row.name, False), done="deactivated"
        )

    @admin.display(description="password", boolean=True)
    def has_password(self, obj: User) -> bool:
        return obj.has_usable_password()

    @admin.display(description="MFA", boolean=True)
    def has_mfa(self, obj: Any) -> bool:
        has_device: bool = obj.device_exists
        return has_device

    @admin.display(description="groups", ordering="group_count")
    def group_count(self, obj: Any) -> int:
        count: int = obj.group_count
        return count

    @admin.display(description="keys", ordering="key_count")
    def key_count(self, obj: Any) -> str:
        return columns.list_link(AccessKey, str(obj.key_count), user__id__exact=obj.pk) if obj.key_count else "–"

    @admin.display(description="elsewhere")
    def elsewhere(self, obj: User) -> str:
        return columns.together(
            columns.console_link("iam:user", obj.name, text="Passwords and new keys, in the console"),
            columns.list_link(TemporaryCredential, "Temporary credentials", user__id__exact=obj.pk),
            columns.list_link(ConsoleSession, "Sessions of the console", user__id__exact=obj.pk),
            columns.list_link(FederatedIdentity, "Identities elsewhere", user__id__exact=obj.pk),
        )


@admin.register(Group)
class GroupAdmin(IdentityAdmin):
    kind = attachments.GROUP
    rename = staticmethod(groups.update_group)
    list_action, view_action = "iam:ListGroups", "iam:GetGroup"
    add_action, delete_action = "iam:CreateGroup", "iam:DeleteGroup"
    change_actions = ("iam:UpdateGroup", "iam:AttachGroupPolicy", "iam:DetachGroupPolicy")
    list_display = ("name", "path", "member_count", "policy_count", "created_at")
    search_fields = ("name", "group_id")
    search_help_text = "Name or group id"
    date_hierarchy = "created_at"
    add_fields = ("name", "path")
    fields = ("name", "path", "policies", "member_count", "row_arn", "group_id", "created_at")
    readonly_fields = fields[3:]
    filter_horizontal = ("policies",)
    inlines = (GroupPolicyInline,)

    def add_resource(self) -> str:
        return arn.group_arn(settings.ACCOUNT_ID, "/", "*")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(member_count=columns.count_of(User.groups.through, "group"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        is_open = obj is None or self.may(request, "iam:UpdateGroup", obj)
        return (*super().get_readonly_fields(request, obj), *(() if is_open else ("name", "path")))

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return () if obj is None else super().get_inlines(request, obj)

    def create(self, request: ConsoleRequest, values: dict[str, Any]) -> Group:
        with row_act(request, self, groupName=values["name"], path=values["path"]):
            return groups.create_group(request.principal, values["name"], path=values["path"])

    def remove(self, request: ConsoleRequest, obj: Group) -> None:
        groups.delete_group(request.principal, obj.name)

    @admin.display(description="members", ordering="member_count")
    def member_count(self, obj: Any) -> str:
        return columns.list_link(User, str(obj.member_count), groups__id__exact=obj.pk) if obj.member_count else "–"


def _policy_label(policy: Policy) -> str:
    return f"{policy.name} (AWS)" if policy.is_aws_managed else policy.name
