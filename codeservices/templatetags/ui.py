"""What every template draws the same way: icons, times, sizes, durations, oids, statuses, copy buttons, rail links.

Names that are both a tag and a filter (`timeago`, `filesize`, `duration`, `short_oid`) differ in one thing: the tag
gives an element with the exact figure on hover, the filter gives the words alone, for attributes and titles.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from html import escape

from django import template
from django.http import QueryDict
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from codeservices import icons, sizes
from codeservices.registry import CommitStatus

register = template.Library()

NOTHING = "–"
SHORT_OID_LENGTH = 8

# Statuses keep AWS's spelling; each has a word for people and an icon that differs in shape, not only in colour.
STATUSES: dict[str, tuple[str, str]] = {
    "SUCCEEDED": ("Succeeded", "check-circle"),
    "FAILED": ("Failed", "x-circle"),
    "FAULT": ("Fault", "exclamation-triangle"),
    "CLIENT_ERROR": ("Client error", "exclamation-triangle"),
    "TIMED_OUT": ("Timed out", "clock"),
    "STOPPED": ("Stopped", "stop-circle"),
    "IN_PROGRESS": ("In progress", "arrow-path"),
    "QUEUED": ("Queued", "queue-list"),
    "SUBMITTED": ("Submitted", "queue-list"),
    "WAITING": ("Waiting", "clock"),
    "ALLOWED": ("Allowed", "check-circle"),
    "DENIED": ("Denied", "no-symbol"),
    "ERROR": ("Error", "exclamation-triangle"),
    "ACTIVE": ("Active", "check-circle"),
    "INACTIVE": ("Inactive", "minus-circle"),
}

# The product's own nouns, so that one thing has one picture everywhere.
ALIASES: dict[str, str] = {
    "account": "user-circle",
    "artifact": "archive-box",
    "audit": "clipboard-document-list",
    "before": "arrow-uturn-left",
    "blame": "user-circle",
    "branch": "share",
    "bucket": "inbox-stack",
    "build": "play-circle",
    "close": "x-mark",
    "commit": "code-bracket-square",
    "copy": "square-2-stack",
    "dashboard": "squares-2x2",
    "delete": "trash",
    "download": "arrow-down-tray",
    "edit": "pencil",
    "endpoint": "globe-alt",
    "file": "document",
    "function": "variable",
    "graph": "adjustments-vertical",
    "group": "user-group",
    "help": "question-mark-circle",
    "key": "key",
    "log": "command-line",
    "menu": "bars-3",
    "new": "plus",
    "parameter": "list-bullet",
    "policy": "shield-check",
    "project": "cube",
    "repository": "circle-stack",
    "retry": "arrow-path",
    "search": "magnifying-glass",
    "secret": "lock-closed",
    "settings": "cog-6-tooth",
    "sign-out": "arrow-right-start-on-rectangle",
    "source": "code-bracket",
    "start": "play",
    "stop": "stop",
    "test": "paper-airplane",
    "topic": "megaphone",
    "trigger": "bolt",
    "usage": "chart-bar",
    "user": "user",
}


@lru_cache(maxsize=512)
def _svg(name: str, size: int, style: str, label: str) -> SafeString:
    """One icon as inline SVG; unknown names raise, because a template that names one is wrong."""
    picture = STATUSES[name][1] if name in STATUSES else ALIASES.get(name, name)
    family = style or ("micro" if size <= 16 else "mini" if size <= 20 else "outline")
    attributes = {"class": "icon"}
    if name == "IN_PROGRESS":
        attributes["data-spin"] = "true"
    if label:
        attributes |= {"role": "img", "aria-label": label, "aria-hidden": "false"}
    else:
        attributes["aria-hidden"] = "true"
    try:
        markup = icons.svg(family, picture, size, attributes)
    except icons.IconDoesNotExist:
        if not name.isupper():
            raise
        markup = icons.svg(family, "question-mark-circle", size, attributes)
    return mark_safe(markup)  # noqa: S308 - drawn from the icon package; the attributes are escaped by ElementTree


@register.simple_tag
def icon(name: str, size: int = 16, style: str = "", label: str = "") -> SafeString:
    """An inline SVG: `{% icon "repository" %}`, `{% icon build.status %}`, `{% icon "sun" size=20 label="Light" %}`.

    Args:
        name: A status (SUCCEEDED, …), one of ALIASES, or any name of the heroicons package. Unknown statuses, which are
            all upper case, draw a question mark; other unknown names raise IconDoesNotExist.
        size: Width and height in CSS pixels.
        style: micro, mini, outline or solid; by default the one drawn for the size.
        label: What a screen reader says; without it the icon is decoration beside a word.
    """
    return _svg(str(name), int(size), str(style), str(label))


def relative(moment: datetime, now: datetime) -> str:
    """How long ago, or how long until, in one unit: "just now", "5 minutes ago", "in 2 days"."""
    seconds = (now - moment).total_seconds()
    distance = abs(seconds)
    if distance < 45:
        return "just now" if seconds >= 0 else "in a moment"
    for limit, size, unit in (
        (3600 - 30, 60, "minute"),
        (86400 - 1800, 3600, "hour"),
        (86400 * 30, 86400, "day"),
        (86400 * 365, 86400 * 30.44, "month"),
        (float("inf"), 86400 * 365.25, "year"),
    ):
        if distance < limit:
            count = max(1, round(distance / size))
            words = f"{count} {unit}{'' if count == 1 else 's'}"
            return f"{words} ago" if seconds >= 0 else f"in {words}"
    raise AssertionError("the last limit is infinite")


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _duration_words(seconds: float) -> str:
    if seconds < 0:
        seconds = 0.0
    if seconds < 1:
        return f"{round(seconds * 1000)} ms" if seconds else "0 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02d} h"


def _seconds(value: timedelta | float | int | None) -> float | None:
    if value is None or value == "":
        return None
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


@register.simple_tag
def timeago(value: datetime | None, none: str = "never") -> SafeString | str:
    """A `<time>` in words, with the exact UTC time on hover; live.js keeps the words fresh."""
    if value is None:
        return none
    moment = _aware(value).astimezone(UTC)
    exact = moment.isoformat(timespec="seconds")
    return mark_safe(  # noqa: S308 - digits and words of ours
        f'<time datetime="{exact}" title="{exact[:10]} {exact[11:19]} UTC" data-relative>'
        f"{relative(moment, datetime.now(UTC))}</time>"
    )


@register.filter("timeago")
def timeago_words(value: datetime | None) -> str:
    """The words alone: "5 minutes ago"."""
    return "never" if value is None else relative(_aware(value), datetime.now(UTC))


@register.simple_tag
def filesize(size_bytes: int | None) -> SafeString | str:
    """A size in units of 1024 bytes, with the exact count on hover."""
    if size_bytes is None or size_bytes == "":
        return NOTHING
    return format_html('<span title="{} bytes">{}</span>', f"{int(size_bytes):,}", sizes.words(int(size_bytes)))


@register.filter("filesize")
def filesize_words(size_bytes: int | None) -> str:
    """The words alone: "1.2 MB"."""
    return NOTHING if size_bytes is None or size_bytes == "" else sizes.words(int(size_bytes))


@register.simple_tag
def duration(value: timedelta | float | None, since: datetime | None = None) -> SafeString | str:
    """A length of time, from a timedelta or seconds, with the exact seconds on hover.

    `since`, for what still runs, gives the time elapsed from then; live.js lets it tick.
    """
    if value is None and since is not None:
        start = _aware(since).astimezone(UTC)
        elapsed = (datetime.now(UTC) - start).total_seconds()
        return format_html(
            '<span data-elapsed-since="{}">{}</span>', start.isoformat(timespec="seconds"), _duration_words(elapsed)
        )
    seconds = _seconds(value)
    if seconds is None:
        return NOTHING
    return format_html('<span title="{} seconds">{}</span>', f"{seconds:,.3f}", _duration_words(seconds))


@register.filter("duration")
def duration_words(value: timedelta | float | None) -> str:
    """The words alone: "3 min 04 s"."""
    seconds = _seconds(value)
    return NOTHING if seconds is None else _duration_words(seconds)


@register.simple_tag
def short_oid(oid: str | None, copy: bool = False) -> SafeString | str:
    """The first characters of an oid, the whole of it on hover; `copy=True` adds a copy button."""
    if not oid:
        return NOTHING
    short = f'<code class="oid" title="{escape(oid)}">{escape(oid[:SHORT_OID_LENGTH])}</code>'
    return mark_safe(short + copy_button(oid, "Copy the full id") if copy else short)  # noqa: S308 - escaped here


@register.filter("short_oid")
def short_oid_words(oid: str | None) -> str:
    """The first characters alone."""
    return oid[:SHORT_OID_LENGTH] if oid else NOTHING


@register.simple_tag
def status_badge(status: str | None, label: str = "") -> SafeString:
    """A status as icon and word: `{% status_badge build.status %}`; unknown ones keep their own spelling."""
    name = str(status or "")
    word = label or (STATUSES[name][0] if name in STATUSES else name.replace("_", " ").capitalize() or NOTHING)
    return format_html(
        '<span class="status" data-status="{}">{} {}</span>', name, _svg(name or "UNKNOWN", 16, "", ""), word
    )


@register.simple_tag
def commit_status(statuses: Mapping[str, CommitStatus] | None, oid: str) -> SafeString | str:
    """What became of a commit, as icon and words that lead there; `statuses` is from `registry.commit_statuses`."""
    status = (statuses or {}).get(oid)
    if status is None:
        return ""
    return format_html(
        '<a class="status" data-status="{}" href="{}" title="Build: {}">{} {}</a>',
        status.state,
        status.url,
        status.word,
        _svg(status.state, 16, "", ""),
        status.word,
    )


@register.simple_tag
def copy_button(text: object, label: str = "Copy", words: str = "") -> SafeString:
    """A button that copies `text`; `label` names it to a screen reader, `words` stand visibly beside the icon."""
    told, shown = escape(label), f" <span>{escape(words)}</span>" if words else ""
    return mark_safe(  # noqa: S308 - every text is escaped; format_html takes four times as long, and lists have many
        f'<button type="button" class="copy" data-copy="{escape(str(text))}" aria-label="{told}" title="{told}">'
        f"{_svg('copy', 16, '', '')}{shown}</button>"
    )


@register.simple_tag(takes_context=True)
def rail_link(context: template.Context, url_name: str, label: str, picture: str, prefix: str = "") -> SafeString | str:
    """One entry of the left rail; nothing where no page has that URL name yet.

    `prefix` is the part of the path that marks the entry as the current one; by default, the entry's own path.
    """
    try:
        href = _address(url_name)
    except NoReverseMatch:
        return ""
    path = getattr(context.get("request"), "path", "")
    here = path == href if href == "/" else path.startswith(prefix or href)
    return _rail_link(href, label, picture, here)


# The rail is on every page, and Django works an address out anew each time.
_address = lru_cache(maxsize=100)(reverse)


@lru_cache(maxsize=100)
def _rail_link(href: str, label: str, picture: str, is_current: bool) -> SafeString:
    current = mark_safe(' aria-current="page"') if is_current else ""
    return format_html(
        '<li><a class="rail-link" href="{}"{}>{} {}</a></li>', href, current, _svg(picture, 18, "outline", ""), label
    )


@register.simple_tag(takes_context=True)
def query_with(context: template.Context, **changes: object) -> str:
    """The request's query string with some values changed: `href="{% query_with page=2 %}"`; None removes one."""
    request = context.get("request")
    query = QueryDict(mutable=True) if request is None else request.GET.copy()
    for key, value in changes.items():
        if value is None or value == "":
            query.pop(key, None)
        else:
            query[key] = str(value)
    return f"?{query.urlencode()}"
