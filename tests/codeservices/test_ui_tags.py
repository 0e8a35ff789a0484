from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template import Context, Template
from django.test import RequestFactory

from codeservices.icons import IconDoesNotExist
from codeservices.templatetags import ui

NOW = datetime(2017, 3, 20, 12, 0, tzinfo=UTC)


def draw(source: str, **context: object) -> str:
    return Template("{% load ui %}" + source).render(Context(context))


@pytest.mark.parametrize("status", sorted(ui.STATUSES))
def test_a_status_is_an_icon_and_a_word(status):
    badge = draw("{% status_badge status %}", status=status)
    assert f'data-status="{status}"' in badge
    assert "<svg" in badge
    assert badge.endswith(f"{ui.STATUSES[status][0]}</span>")


def test_no_two_build_results_share_an_icon():
    pictures = [
        ui.STATUSES[name][1] for name in ("SUCCEEDED", "FAILED", "FAULT", "TIMED_OUT", "STOPPED", "IN_PROGRESS")
    ]
    assert len(set(pictures)) == len(pictures)


@pytest.mark.parametrize("name", sorted(ui.ALIASES))
@pytest.mark.parametrize("size", [16, 20, 24])
def test_every_name_of_ours_has_a_picture_in_every_size(name, size):
    assert f'width="{size}"' in ui.icon(name, size=size)


def test_an_icon_is_decoration_unless_it_is_named():
    assert 'aria-hidden="true"' in ui.icon("repository")
    named = ui.icon("repository", label='A "repository"')
    assert 'role="img"' in named
    assert 'aria-label="A &quot;repository&quot;"' in named
    assert 'aria-hidden="false"' in named


def test_a_template_that_names_no_icon_is_told_so_and_an_unknown_status_is_still_drawn():
    with pytest.raises(IconDoesNotExist):
        ui.icon("no-such-picture")
    assert "<svg" in ui.icon("SOME_NEW_STATUS")
    assert draw("{% status_badge 'SOME_NEW_STATUS' %}").endswith("Some new status</span>")


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(seconds=-3), "in a moment"),
        (timedelta(seconds=50), "1 minute ago"),
        (timedelta(minutes=59, seconds=20), "59 minutes ago"),
        (timedelta(minutes=59, seconds=40), "1 hour ago"),
        (timedelta(hours=23, minutes=45), "1 day ago"),
        (timedelta(days=29), "29 days ago"),
        (timedelta(days=45), "1 month ago"),
        (timedelta(days=800), "2 years ago"),
        (timedelta(days=-2), "in 2 days"),
    ],
)
def test_a_time_is_told_in_one_unit(ago, words):
    assert ui.relative(NOW - ago, NOW) == words


def test_a_time_has_its_exact_moment_on_hover():
    element = draw("{% timeago when %}", when=NOW)
    assert 'datetime="2017-03-20T12:00:00+00:00"' in element
    assert 'title="2017-03-20 12:00:00 UTC"' in element
    assert draw("{% timeago when none='not yet' %}", when=None) == "not yet"
    assert draw("{{ when|timeago }}", when=None) == "never"


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KB"),
        (1536, "1.5 KB"),
        (1024 * 1024 - 1, "1.0 MB"),
        (500 * 1024**2, "500 MB"),
    ],
)
def test_a_size_is_told_in_units_of_1024(size_bytes, words):
    assert draw("{{ size|filesize }}", size=size_bytes) == words


def test_a_size_has_its_exact_count_on_hover():
    assert draw("{% filesize size %}", size=1234567) == '<span title="1,234,567 bytes">1.2 MB</span>'
    assert draw("{% filesize size %}", size=None) == "–"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.25, "250 ms"),
        (2.345, "2.3 s"),
        (59.2, "59 s"),
        (59.6, "1 min 00 s"),
        (184, "3 min 04 s"),
        (3 * 3600 + 65, "3 h 01 min"),
        (26 * 3600, "1 d 02 h"),
        (-4, "0 s"),
    ],
)
def test_a_duration_is_told_in_two_units(seconds, words):
    assert draw("{{ value|duration }}", value=seconds) == words
    assert draw("{{ value|duration }}", value=timedelta(seconds=seconds)) == words


def test_a_running_duration_says_since_when_so_that_it_can_tick():
    element = draw("{% duration None since=start %}", start=datetime.now(UTC) - timedelta(seconds=30))
    assert 'data-elapsed-since="' in element
    assert draw("{% duration None %}") == "–"


def test_an_oid_is_shortened_and_can_be_copied_whole():
    oid = "a" * 40
    assert draw("{{ oid|short_oid }}", oid=oid) == "aaaaaaaa"
    element = draw("{% short_oid oid copy=True %}", oid=oid)
    assert f'title="{oid}"' in element
    assert f'data-copy="{oid}"' in element


def test_what_people_typed_cannot_leave_a_copy_button():
    assert "<script>" not in draw("{% copy_button text %}", text='"><script>alert(1)</script>')


def test_a_rail_link_marks_the_current_place_and_hides_pages_that_do_not_exist():
    request = RequestFactory().get("/iam/groups/")
    request.user = AnonymousUser()
    users, dashboard = (
        '{% rail_link "iam:user_list" "U" "users" "/iam/" %}',
        '{% rail_link "console:dashboard" "D" "dashboard" %}',
    )
    drawn = draw(users + dashboard, request=request)
    assert drawn.count('aria-current="page"') == 1
    assert 'href="/iam/users/" aria-current="page"' in drawn
    assert draw('{% rail_link "nothing:here" "Nothing" "users" %}', request=request).strip() == ""


def test_a_page_link_keeps_the_other_parameters():
    request = RequestFactory().get("/audit/?who=alice&page=2")
    assert draw("{% query_with page=3 %}", request=request) == "?who=alice&amp;page=3"
    assert draw("{% query_with page=None %}", request=request) == "?who=alice"
