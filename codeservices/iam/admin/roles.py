"""Roles in the admin panel: who may assume them, and what they may do then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest

from codeservices.admin import columns
from codeservices.admin.acts import row_act
from codeservices.admin.base import ServiceForm
from codeservices.errors import ServiceError
from codeservices.http import ConsoleRequest
from codeservices.iam import arn, attachments, policy, roles
from codeservices.iam.admin.documents import DocumentField
from codeservices.iam.admin.identities import IdentityAdmin, InlinePolicyInline
from codeservices.iam.forms.roles import NEW_TRUST_POLICY
from codeservices.iam.models import InlinePolicy, Role, TemporaryCredential


class RolePolicyInline(InlinePolicyInline):
    fk_name, view_action = "role", "iam:ListRolePolicies"


class RoleAdminForm(ServiceForm):
    """A role; its name and path are chosen once."""

    trust_policy = DocumentField(label="Trust policy", help_text="Who may assume the role.")

    def clean_max_session_seconds(self) -> int:
        seconds: int = self.cleaned_data["max_session_seconds"]
        _tell_form(roles.check_max_session, seconds)
        return seconds

    def clean_trust_policy(self) -> str:
        """Faults of grammar stand beside the entry; whom it may name is for the service to say."""
        document: str = self.cleaned_data["trust_policy"]
        name, path = (self.cleaned_data.get(one) or getattr(self.instance, one) for one in ("name", "path"))
        _tell_form(policy.parse_trust, document, arn.role_arn(settings.ACCOUNT_ID, path, name))
        return document


@admin.register(Role)
class RoleAdmin(IdentityAdmin):
    kind = attachments.ROLE
    form = RoleAdminForm
    list_action, view_action = "iam:ListRoles", "iam:GetRole"
    add_action, delete_action = "iam:CreateRole", "iam:DeleteRole"
    change_actions = (
        "iam:UpdateRole",
        "iam:UpdateRoleDescription",
        "iam:UpdateAssumeRolePolicy",
        "iam:AttachRolePolicy",
        "iam:DetachRolePolicy",
    )
    list_display = ("name", "path", "description", "policy_count", "max_session_seconds", "last_used_at", "created_at")
    list_filter = (columns.LastUsedFilter,)
    search_fields = ("name", "role_id", "description")
    search_help_text = "Name, role id or description"
    date_hierarchy = "created_at"
    add_fields = ("name", "path", "description", "max_session_seconds", "trust_policy")
    told = ("row_arn", "role_id", "sessions", "elsewhere", "last_used_at", "created_at")
    readonly_fields = ("trust", *told)
    filter_horizontal = ("policies",)
    inlines = (RolePolicyInline,)

    def add_resource(self) -> str:
        return arn.role_arn(settings.ACCOUNT_ID, "/", "*")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.add_fields
        trust = "trust_policy" if self.may(request, "iam:UpdateAssumeRolePolicy", obj) else "trust"
        return ("name", "path", "description", "max_session_seconds", "policies", trust, *self.told)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        closed: tuple[str, ...] = ()
        if obj is not None:
            may_update = self.may(request, "iam:UpdateRole", obj)
            may_describe = may_update or self.may(request, "iam:UpdateRoleDescription", obj)
            closed = ("name", "path")  # no service changes them
            closed += () if may_update else ("max_session_seconds",)
            closed += () if may_describe else ("description",)
            closed += () if self.may(request, "iam:UpdateAssumeRolePolicy", obj) else ("trust_policy",)
        return (*super().get_readonly_fields(request, obj), *closed)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return () if obj is None else super().get_inlines(request, obj)

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        return {"trust_policy": NEW_TRUST_POLICY, **super().get_changeform_initial_data(request)}

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if db_field.name == "max_session_seconds":
            kwargs["help_text"] = "Seconds that a session lasts at most: {} to {}.".format(*roles.SESSION_SECONDS)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def create(self, request: ConsoleRequest, values: dict[str, Any]) -> Role:
        name, path, trust_policy = values["name"], values["path"], values["trust_policy"]
        with row_act(request, self, roleName=name, path=path, assumeRolePolicyDocument=trust_policy):
            return roles.create_role(
                request.principal,
                name,
                trust_policy,
                path=path,
                description=values["description"],
                max_session_seconds=values["max_session_seconds"],
            )

    def change(self, request: ConsoleRequest, before: Role, values: dict[str, Any], changed: Iterable[str]) -> None:
        super().change(request, before, values, changed)
        told = {"roleName": before.name}
        given = {one: values[one] for one in ("description", "max_session_seconds") if one in changed}
        if given.keys() == {"description"} and not self.may(request, "iam:UpdateRole", before):
            with row_act(request, self, **told, **given):
                roles.describe_role(request.principal, before.name, values["description"])
        elif given:
            named = {"max_session_seconds": "maxSessionDuration"}
            with row_act(request, self, **told, **{named.get(one, one): value for one, value in given.items()}):
                roles.update_role(request.principal, before.name, **given)
        if "trust_policy" in changed:
            with row_act(request, self, **told, policyDocument=values["trust_policy"]):
                roles.update_trust_policy(request.principal, before.name, values["trust_policy"])

    def remove(self, request: ConsoleRequest, obj: Role) -> None:
        roles.delete_role_with_policies(request.principal, obj.name)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Roles with the sessions and policies that go with them."""
        return self.with_parts(super().get_deleted_objects(objs, request), objs, (TemporaryCredential, InlinePolicy))

    @admin.display(description="trust policy")
    def trust(self, obj: Role) -> str:
        return columns.code(obj.trust_policy)

    @admin.display(description="sessions")
    def sessions(self, obj: Role) -> str:
        return columns.list_link(TemporaryCredential, "Temporary credentials", role__id__exact=obj.pk)

    @admin.display(description="elsewhere")
    def elsewhere(self, obj: Role) -> str:
        return columns.console_link("iam:role", obj.name)


def _tell_form(check: Callable[..., object], *values: Any) -> None:
    """Make a check; what it refuses stands beside the entry."""
    try:
        check(*values)
    except ServiceError as error:
        raise forms.ValidationError(error.message) from None
