"""The console's search of the trail: what was typed becomes conditions that an index can answer.

A million rows are not looked through for letters in the middle of a text. A column has few different values, though:
its index is asked for one after the other, and those that hold the text are then looked for exactly.
"""

from __future__ import annotations

from django.db.models import Min, Q

from codeservices.audit.models import Event

# More different values than that (there may be ever so many resources), and only their beginnings are looked at.
MAX_VALUES = 500


def matching(column: str, text: str) -> Q:
    """The events whose column holds the text, in whatever case; the whole value, where there is one, is quickest.

    Args:
        column: An indexed text column of Event.
        text: What was typed; not empty.
    """
    if Event.objects.filter(**{column: text}).order_by().exists():
        return Q(**{column: text})
    found: list[str] = []
    value: str | None = ""
    for _ in range(MAX_VALUES):
        value = Event.objects.filter(**{f"{column}__gt": value}).order_by().aggregate(next=Min(column))["next"]
        if value is None:
            return Q(**{f"{column}__in": found})
        if text.casefold() in value.casefold():
            found.append(value)
    return Q(**{f"{column}__in": found}) | Q(**{f"{column}__startswith": text})
