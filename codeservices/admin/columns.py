"""Columns, filters and paging that several lists of the admin panel share."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

UNUSED_DAYS = 90
RECENT_DAYS = 30


class BoundedPaginator(Paginator):
    """Counts and pages through the first rows only: in a table of millions the rest is found by searching."""

    MAX_ROWS = 10_000

    @cached_property
    def count(self) -> int:
        """How many rows there are, up to MAX_ROWS."""
        first: QuerySet[Any] = self.object_list[: self.MAX_ROWS]  # type: ignore[assignment]
        return first.count()


class LastUsedFilter(admin.SimpleListFilter):
    """Which keys nobody uses any more."""

    title = "last used"
    parameter_name = "used"
    field = "last_used_at"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("recently", f"In the last {RECENT_DAYS} days"),
            ("long-ago", f"Not for {UNUSED_DAYS} days"),
            ("never", "Never"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = timezone.now()
        if self.value() == "recently":
            return queryset.filter(**{f"{self.field}__gte": now - timedelta(days=RECENT_DAYS)})
        if self.value() == "long-ago":
            return queryset.filter(**{f"{self.field}__lt": now - timedelta(days=UNUSED_DAYS)})
        return queryset.filter(**{self.field: None}) if self.value() == "never" else queryset


class LastSignInFilter(LastUsedFilter):
    title = "last sign-in"
    field = "last_login"


def count_of(model: type[Model], field: str) -> Coalesce:
    """How many rows of another table point to a row: a query inside the query, asked for the rows of one page alone."""
    counted = model._default_manager.filter(**{field: OuterRef("pk")}).order_by().values(field)
    return Coalesce(Subquery(counted.annotate(count=Count("pk")).values("count")), 0)


def link(row: Model | None, text: str = "") -> str:
    """A link to a row's own page in the panel; a dash for none."""
    if row is None:
        return "–"
    place = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', place, text or str(row))


def links(rows: Any) -> str:
    """Links to several rows, separated by commas; a dash for none."""
    return format_html_join(", ", "{}", ([link(row)] for row in rows)) or "–"


def list_link(model: type[Model], text: str, **lookups: Any) -> str:
    """A link to the list of a model's rows that match."""
    place = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=lookups)
    return format_html('<a href="{}">{}</a>', place, text)


def console_link(name: str, *args: Any, text: str = "Open in the console") -> str:
    """A link to the page of the console where the thing is used."""
    return format_html('<a href="{}">{}</a>', reverse(name, args=args), text)


def code(text: str) -> str:
    """A document or a key as it is, line by line."""
    return format_html("<pre>{}</pre>", text)


def together(*parts: str) -> str:
    """Several links in one cell."""
    return format_html_join(" · ", "{}", ([part] for part in parts if part != "–")) or "–"
