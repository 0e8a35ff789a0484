"""Managed policies, their versions, and inline policies in the admin panel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet, Value
from django.http import HttpRequest

from codeservices.admin import columns
from codeservices.admin.acts import row_act
from codeservices.admin.base import ActionAdmin, LookOnlyInline, RowActions, ServiceForm
from codeservices.errors import ServiceError
from codeservices.http import ConsoleRequest
from codeservices.iam import arn, attachments, policies
from codeservices.iam.admin.documents import DocumentField
from codeservices.iam.attachments import Kind
from codeservices.iam.forms.policies import NEW_POLICY
from codeservices.iam.models import Group, InlinePolicy, Policy, PolicyVersion, Role, User

KINDS = {"user": attachments.USER, "group": attachments.GROUP, "role": attachments.ROLE}


class PolicyAdminForm(ServiceForm):
    """A policy with the document of its default version."""

    document = DocumentField()
    set_as_default = forms.BooleanField(
        label="In force at once",
        required=False,
        initial=True,
        help_text="A new document is a new version; nothing is overwritten. Without the tick it waits until it is made "
        "the default. With it, where the policy has as many versions as it may have, the oldest other one goes.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        stored = kwargs.get("instance")
        document = stored.document if stored is not None and stored.pk else NEW_POLICY
        kwargs["initial"] = {"document": document, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)

    def clean_document(self) -> str:
        document: str = self.cleaned_data["document"]
        try:
            policies.check_document(document)
        except ServiceError as error:
            raise forms.ValidationError(error.message) from None
        return document


class PolicyVersionInline(LookOnlyInline):
    model, view_action = PolicyVersion, "iam:ListPolicyVersions"
    fields = ("number", "is_default", "created_at")


@admin.register(Policy)
class PolicyAdmin(ActionAdmin):
    form = PolicyAdminForm
    list_action, view_action = "iam:ListPolicies", "iam:GetPolicy"
    add_action, delete_action = "iam:CreatePolicy", "iam:DeletePolicy"
    change_actions = ("iam:CreatePolicyVersion",)
    list_display = ("name", "is_aws_managed", "attachment_count", "version_count", "description", "updated_at")
    list_filter = ("is_aws_managed",)
    search_fields = ("name", "description", "policy_id")
    search_help_text = "Name, description or policy id"
    date_hierarchy = "created_at"
    inlines = (PolicyVersionInline,)

    def add_resource(self) -> str:
        return arn.policy_arn(settings.ACCOUNT_ID, "/", "*")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        holders = sum((columns.count_of(model.policies.through, "policy") for model in (User, Group, Role)), Value(0))
        return found.annotate(attachment_count=holders, version_count=columns.count_of(PolicyVersion, "policy"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("name", "path", "description", "document")
        written = ("document", "set_as_default") if self.has_change_permission(request, obj) else ("in_force",)
        return (*written, *self.get_readonly_fields(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        told = ("row_arn", "policy_id", "is_aws_managed", "attached_to", "elsewhere", "created_at", "updated_at")
        return ("in_force",) if obj is None else ("name", "path", "description", *told)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return () if obj is None else super().get_inlines(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not (obj and obj.is_aws_managed) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not (obj and obj.is_aws_managed) and super().has_delete_permission(request, obj)

    def create(self, request: ConsoleRequest, values: dict[str, Any]) -> Policy:
        name, path, description = values["name"], values["path"], values["description"]
        with row_act(request, self, policyName=name, path=path, policyDocument=values["document"]):
            return policies.create_policy(
                request.principal, name, values["document"], path=path, description=description
            )

    def change(self, request: ConsoleRequest, before: Policy, values: dict[str, Any], changed: Iterable[str]) -> None:
        if "document" not in changed:
            return
        document, is_default = values["document"], values["set_as_default"]
        with row_act(request, self, policyArn=before.arn, policyDocument=document, setAsDefault=is_default):
            if is_default:
                policies.replace_document(request.principal, before.arn, document)
            else:
                policies.create_version(request.principal, before.arn, document, set_as_default=False)

    def remove(self, request: ConsoleRequest, obj: Policy) -> None:
        policies.delete_policy_with_versions(request.principal, obj.arn)

    @admin.display(description="attached to", ordering="attachment_count")
    def attachment_count(self, obj: Any) -> int:
        count: int = obj.attachment_count
        return count

    @admin.display(description="versions", ordering="version_count")
    def version_count(self, obj: Any) -> str:
        return columns.list_link(PolicyVersion, str(obj.version_count), policy__id__exact=obj.pk)

    @admin.display(description="attached to")
    def attached_to(self, obj: Policy) -> str:
        held = columns.links([*obj.groups.all(), *obj.roles.all()])
        users = obj.users.count()
        return columns.together(
            held, columns.list_link(User, f"{users} users", policies__id__exact=obj.pk) if users else "–"
        )

    @admin.display(description="JSON document")
    def in_force(self, obj: Policy) -> str:
        return columns.code(obj.document)

    @admin.display(description="ARN")
    def row_arn(self, obj: Policy) -> str:
        return obj.arn

    @admin.display(description="elsewhere")
    def elsewhere(self, obj: Policy) -> str:
        name = "iam:policy_aws" if obj.is_aws_managed else "iam:policy_customer"
        return columns.console_link(name, obj.name)


@admin.register(PolicyVersion)
class PolicyVersionAdmin(ActionAdmin):
    """The documents of managed policies. A new one is written on the policy's page."""

    list_action, view_action = "iam:ListPolicies", "iam:GetPolicyVersion"
    delete_action = "iam:DeletePolicyVersion"
    list_display = ("policy", "version_id", "is_default", "created_at")
    list_filter = ("is_default", "policy__is_aws_managed")
    list_select_related = ("policy",)
    filter_links = ("policy",)
    search_fields = ("policy__name",)
    search_help_text = "Policy name"
    date_hierarchy = "created_at"
    ordering = ("policy__name", "-number")
    fields = ("owner", "version_id", "is_default", "created_at", "text")
    actions = ("make_default",)

    def owner_of(self, obj: PolicyVersion) -> Policy:
        return obj.policy

    def remove(self, request: ConsoleRequest, obj: PolicyVersion) -> None:
        policies.delete_version(request.principal, obj.policy.arn, obj.version_id)

    @admin.action(description="Make selected versions the default of their policies")
    def make_default(self, request: ConsoleRequest, queryset: QuerySet[PolicyVersion]) -> None:
        def bring_into_force(row: PolicyVersion) -> None:
            policies.set_default_version(request.principal, row.policy.arn, row.version_id)

        self.each(request, queryset, bring_into_force, done="made the default")

    @admin.display(description="policy")
    def owner(self, obj: PolicyVersion) -> str:
        return columns.link(obj.policy)

    @admin.display(description="version", ordering="number")
    def version_id(self, obj: PolicyVersion) -> str:
        return obj.version_id

    @admin.display(description="JSON document")
    def text(self, obj: PolicyVersion) -> str:
        return columns.code(obj.document)


class InlinePolicyForm(ServiceForm):
    """An inline policy; its owner and name are chosen once."""

    document = DocumentField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for kind in KINDS.keys() & self.fields.keys():
            self.fields[kind].required = False

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        if self.instance.pk is None and sum(bool(values.get(kind)) for kind in KINDS) != 1:
            self._validate_constraints = False  # the table has the same rule, in other words
            raise forms.ValidationError("Choose one user, one group or one role to write the policy into.")
        return values


@admin.register(InlinePolicy)
class InlinePolicyAdmin(ActionAdmin):
    form = InlinePolicyForm
    list_action = "iam:GetAccountAuthorizationDetails"
    add_action, delete_action = "iam:PutUserPolicy", "iam:DeleteUserPolicy"
    list_display = ("name", "owner", "kind", "created_at", "updated_at")
    list_select_related = ("user", "group", "role")
    search_fields = ("name", "user__name", "group__name", "role__name")
    search_help_text = "Name of the policy, or of the user, group or role"
    date_hierarchy = "created_at"
    autocomplete_fields = ("user", "group", "role")

    def owner_of(self, obj: InlinePolicy) -> Any:
        return obj.owner

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("user", "group", "role", "name", "document")
        return ("name", "owner", "document", "created_at", "updated_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else ("name", "owner", "created_at", "updated_at")

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        return {"document": NEW_POLICY, **super().get_changeform_initial_data(request)}

    def actions_of(self, obj: InlinePolicy | None) -> RowActions:
        name = _kind(obj).name if obj is not None else "User"
        return RowActions(f"iam:Get{name}Policy", (f"iam:Put{name}Policy",), f"iam:Delete{name}Policy")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return any(self.may(request, f"iam:Put{kind.name}Policy") for kind in KINDS.values())

    def create(self, request: ConsoleRequest, values: dict[str, Any]) -> InlinePolicy:
        kind, owner = next((KINDS[one], values[one]) for one in KINDS if values[one])
        return self._put(request, kind, owner.name, values["name"], values["document"])

    def change(
        self, request: ConsoleRequest, before: InlinePolicy, values: dict[str, Any], changed: Iterable[str]
    ) -> None:
        if "document" in changed:
            self._put(request, _kind(before), before.owner.name, before.name, values["document"])

    def remove(self, request: ConsoleRequest, obj: InlinePolicy) -> None:
        attachments.delete_inline(request.principal, _kind(obj), obj.owner.name, obj.name)

    def _put(self, request: ConsoleRequest, kind: Kind, owner: str, name: str, document: str) -> InlinePolicy:
        told = {f"{kind.name.lower()}Name": owner, "policyName": name, "policyDocument": document}
        with row_act(request, self, **told):
            return attachments.put_inline(request.principal, kind, owner, name, document)

    @admin.display(description="stands in")
    def owner(self, obj: InlinePolicy) -> str:
        return columns.link(obj.owner)

    @admin.display(description="kind")
    def kind(self, obj: InlinePolicy) -> str:
        return _kind(obj).name


def _kind(obj: InlinePolicy) -> Kind:
    return KINDS["user" if obj.user_id else "group" if obj.group_id else "role"]
