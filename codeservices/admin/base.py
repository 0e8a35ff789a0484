"""Admin classes that ask for IAM actions and change rows through service functions alone.

What a class must say is which action opens its list and its rows, and which service does what. Django's buttons, forms,
history and confirmation pages stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected as confirm_delete_selected
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import model_ngettext, unquote
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html, format_html_join

from codeservices.admin.acts import row_act, together
from codeservices.admin.columns import BoundedPaginator
from codeservices.errors import AccessDenied, ServiceError
from codeservices.iam.authorize import authorize, is_allowed

if TYPE_CHECKING:
    from codeservices.http import ConsoleRequest
else:
    ConsoleRequest = HttpRequest

# Each row of a bulk action is authorized, changed and recorded by itself, some milliseconds a row.
MAX_ROWS_AN_ACTION = 1000
MAX_REFUSALS_TOLD = 20


class ServiceForm(forms.ModelForm):
    """A form that a service may refuse; the refusal is shown beside the entries."""

    refusal: ServiceError | None = None

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.refusal is not None:
            self.add_error(None, f"{self.refusal.message} {self.refusal.hint}".strip())


class RowActions(NamedTuple):
    """The IAM actions that open a row, change something about it, and delete it."""

    view: str
    change: tuple[str, ...]
    delete: str


class Asks:
    """Which IAM actions a class of rows asks for. Shared by the pages and the tables inside other pages."""

    view_action = ""

    def owner_of(self, obj: Any) -> Any:
        """The row whose ARN and tags decide about acts on this one."""
        return obj

    def resource_of(self, obj: Any) -> str:
        """The ARN on which acts on the row are decided."""
        return str(self.owner_of(obj).arn)

    def may(self, request: HttpRequest, action: str, obj: Any = None) -> bool:
        """Whether the person may do it on the row, or, without one, on any; nothing is recorded."""
        return bool(action) and is_allowed(request.principal, action, self.about(obj))  # type: ignore[attr-defined]

    def about(self, obj: Any) -> str:
        """What an act on the row, or on none, is decided on."""
        return "*" if obj is None else self.resource_of(obj)


class ActionAdmin(Asks, admin.ModelAdmin):
    """Pages whose lists, rows, buttons and changes ask for IAM actions on the row's ARN.

    Attributes:
        list_action: Opens the list, on "*".
        view_action: Opens a row, and its history.
        add_action, change_actions, delete_action: Show the buttons. The services decide again, and record it.
        filter_links: Fields by which links from other pages filter the list, besides `list_filter`.
    """

    form = ServiceForm
    list_action = ""
    add_action = ""
    change_actions: tuple[str, ...] = ()
    delete_action = ""
    filter_links: tuple[str, ...] = ()
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    formfield_overrides = {
        models.TextField: {"widget": forms.Textarea(attrs={"rows": 22, "cols": 100, "spellcheck": "false"})}
    }

    # ---- what a class fills in ---------------------------------------------------------------------------------------

    def create(self, request: ConsoleRequest, values: dict[str, Any]) -> Model:
        """Make a row from the form's values by a service. Without one, such rows are not made in the panel."""
        raise PermissionDenied(f"The panel makes no {self.opts.verbose_name_plural}.")

    def change(self, request: ConsoleRequest, before: Any, values: dict[str, Any], changed: Iterable[str]) -> None:
        """Bring the named changes of the form to the row by services; each call in a `row_act` of its own.

        Without a service, such rows are only looked at.
        """
        raise PermissionDenied(f"The panel changes no {self.opts.verbose_name_plural}.")

    def remove(self, request: ConsoleRequest, obj: Any) -> None:
        """Delete a row by a service. Without one, such rows are not deleted in the panel."""
        raise PermissionDenied(f"The panel deletes no {self.opts.verbose_name_plural}.")

    def add_resource(self) -> str:
        """What `add_action` is asked on before the row has a name."""
        return "*"

    def actions_of(self, obj: Any) -> RowActions:
        """What acts on a row, or on a row that is not there, are called."""
        return RowActions(self.view_action, self.change_actions, self.delete_action)

    # ---- who sees what -----------------------------------------------------------------------------------------------

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, self.list_action if obj is None else self.actions_of(obj).view, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(self.add_action) and is_allowed(request.principal, self.add_action, self.add_resource())  # type: ignore[attr-defined]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether anything about the row may be changed; single fields are closed by get_readonly_fields."""
        return self.has_view_permission(request, obj) and any(
            self.may(request, one, obj) for one in self.actions_of(obj).change
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request, obj) and self.may(request, self.actions_of(obj).delete, obj)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Lists are filtered by what the page offers: a lookup on a hash would tell it letter by letter."""
        fields = [one[0] if isinstance(one, tuple) else one for one in self.list_filter]
        offered = [one if isinstance(one, str) else getattr(one, "parameter_name", "") for one in fields]
        offered += [*self.filter_links, *filter(None, [self.date_hierarchy])]
        is_offered = any(lookup == one or lookup.startswith(f"{one}__") for one in offered)
        return is_offered and super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    def admit(self, request: ConsoleRequest, action: str, obj: Any = None) -> None:
        """Refuse a page to those who may not open it, and record whoever looks.

        A denial names no row: which numbers are taken, and by whom, does not leak.
        """
        if request.method != "GET" and self.may(request, action, obj):
            return  # what is sent is an act of its own
        try:
            authorize(request.principal, action, self.about(obj))
        except AccessDenied as denied:
            raise denied.about("*") from None

    # ---- pages -------------------------------------------------------------------------------------------------------

    def changelist_view(self, request: Any, extra_context: Any = None) -> HttpResponse:
        self.admit(request, self.list_action)
        return super().changelist_view(request, extra_context)

    def changeform_view(
        self, request: Any, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        if object_id is None:
            self._need(request, self.has_add_permission(request), self.add_action, self.add_resource())
        else:
            obj = self.get_object(request, unquote(object_id))
            self.admit(request, self.actions_of(obj).view, obj)
            if obj is not None and request.method == "POST":
                action = next(iter(self.actions_of(obj).change), "")
                self._need(request, self.has_change_permission(request, obj), action, self.about(obj))
        try:
            with together():
                return super().changeform_view(request, object_id, form_url, extra_context)
        except ServiceError as error:
            if request.method != "POST":
                raise
            request.refusal = error
        return super().changeform_view(request, object_id, form_url, extra_context)

    def history_view(self, request: Any, object_id: str, extra_context: Any = None) -> HttpResponse:
        obj = self.get_object(request, unquote(object_id))
        self.admit(request, self.actions_of(obj).view, obj)
        return super().history_view(request, object_id, extra_context)

    def delete_view(self, request: Any, object_id: str, extra_context: Any = None) -> HttpResponse:
        obj = self.get_object(request, unquote(object_id))
        actions = self.actions_of(obj)
        self.admit(request, actions.view, obj)
        if obj is not None:
            self._need(request, self.has_delete_permission(request, obj), actions.delete, self.about(obj))
        try:
            with together():
                return super().delete_view(request, object_id, extra_context)
        except ServiceError as error:
            self.message_user(request, f"{error.message} {error.hint}".strip(), messages.ERROR)
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", object_id)

    def _need(self, request: ConsoleRequest, is_allowed: bool, action: str, about: str) -> None:
        """Tell and record which action is missing, where one is: Django's own refusal says neither."""
        if not is_allowed and action:
            authorize(request.principal, action, about)

    # ---- forms -------------------------------------------------------------------------------------------------------

    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.refusal = getattr(request, "refusal", None)
        return form

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        """Hand the form to a service, then take the row as it is stored."""
        if change:
            before = self.model._default_manager.get(pk=obj.pk)
            self.change(request, before, form.cleaned_data, form.changed_data)
        else:
            obj.pk = self.create(request, form.cleaned_data).pk
            obj._state.adding = False
        obj.refresh_from_db()

    def save_related(self, request: Any, form: Any, formsets: Any, change: bool) -> None:
        """Nothing is left to do: services have done it."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """What the history says. Tables inside the page are looked at only, so the form alone tells."""
        return super().construct_change_message(request, form, [], add)

    def delete_model(self, request: Any, obj: Any) -> None:
        with row_act(request, self):
            self.remove(request, obj)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """The rows themselves. Whether what hangs on them may go is for the service to say."""
        shown = [str(one) for one in objs]
        return shown, {str(self.opts.verbose_name_plural): len(shown)}, set(), []

    # ---- bulk actions ------------------------------------------------------------------------------------------------

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """With “delete selected” where a service deletes these rows."""
        found = super().get_actions(request)
        delete = self.get_action("delete_selected")
        if self.delete_action and delete is not None and IS_POPUP_VAR not in request.GET:
            found["delete_selected"] = delete
        return found

    @admin.action(description="Delete selected %(verbose_name_plural)s")
    def delete_selected(self, request: ConsoleRequest, queryset: QuerySet[Any]) -> Any:
        """Ask whether it is meant, then delete row by row."""
        if not request.POST.get("post"):
            return confirm_delete_selected(self, request, queryset)

        def delete(row: Any) -> None:
            self.log_deletions(request, [row])  # type: ignore[arg-type]  # Django's own delete page gives a list too
            self.remove(request, row)

        return self.each(request, queryset, delete, done="deleted")

    def each(
        self, request: ConsoleRequest, queryset: QuerySet[Any], change: Callable[[Any], object], *, done: str
    ) -> None:
        """Do one thing to each chosen row, each in an act and a transaction of its own, and tell what came of it.

        Args:
            change: Calls the service; a ServiceError leaves that row as it was and the others to their turn.
            done: What has happened to a row then, "deactivated"; it stands in the row's history.
        """
        rows = list(queryset[: MAX_ROWS_AN_ACTION + 1])
        if len(rows) > MAX_ROWS_AN_ACTION:
            told = f"Nothing is {done}: at most {MAX_ROWS_AN_ACTION:,} are taken at once. Narrow the list by a filter."
            self.message_user(request, told, messages.ERROR)
            return
        refused: list[tuple[str, str]] = []
        for row in rows:
            name = str(row)
            try:
                with row_act(request, self), transaction.atomic():
                    if done != "deleted":
                        self.log_change(request, row, f"{done.capitalize()}.")
                    change(row)
            except ServiceError as error:
                refused.append((name, error.message.rstrip(".")))
        self._tell_each(request, len(rows) - len(refused), refused, done)

    def _tell_each(self, request: ConsoleRequest, count: int, refused: list[tuple[str, str]], done: str) -> None:
        if count:
            what = f"{count} {model_ngettext(self.opts, count)} {done}."
            self.message_user(request, what, messages.SUCCESS)
        if refused:
            told = format_html_join("; ", "<strong>{}</strong>: {}", refused[:MAX_REFUSALS_TOLD])
            more = f"; and {len(refused) - MAX_REFUSALS_TOLD} more" if len(refused) > MAX_REFUSALS_TOLD else ""
            what = f"{len(refused)} {model_ngettext(self.opts, len(refused))} not {done}"
            self.message_user(request, format_html("{}. {}{}.", what, told, more), messages.ERROR)


class LookOnlyInline(Asks, admin.TabularInline):
    """Rows of another table on their parent's page, for those who may do `view_action` on the parent."""

    extra = 0
    can_delete = False
    show_change_link = True

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields or ()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None or self.may(request, self.view_action, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
