"""How tests use the admin panel: addresses, people with some actions, bulk actions, what the trail says then."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from codeservices.audit.models import Event
from tests import factories
from tests.codeservices.behind_doors import body
from tests.fixtures.people import signed_in

PANEL = "codeservices:UseAdminPanel"


def place(model: type[Any], page: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def operator(*actions: str, deny: dict[str, Any] | None = None) -> Client:
    """Somebody with the panel and these actions, less what the statement denies."""
    document = factories.allow(PANEL, *actions)
    if deny is not None:
        document["Statement"].append({"Effect": "Deny", **deny})
    return signed_in(factories.user("oscar", document=document))


def act_on(client: Client, action: str, *rows: Any, **more: str) -> str:
    """Choose a bulk action for rows; the page that follows."""
    form = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    return body(client.post(place(type(rows[0])), form, follow=True))


def changes() -> list[tuple[str, str]]:
    """The changes in the trail, oldest first."""
    events = Event.objects.filter(is_read_only=False).exclude(event_name="Made").order_by("pk")
    return list(events.values_list("event_name", "outcome"))
