"""The log viewer in a real browser: a window over all lines, live lines, links, and the same rows as the server's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.templatetags.static import static
from playwright.sync_api import Page

from tests import factories
from tests.builds import logged
from tests.builds.ansi_lines import KINDS, LINES

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("redis_server"),
]

BUILD = "/projects/demo/builds/1/"


@pytest.fixture
def project(alice):
    factories.repository("demo")
    return factories.project("demo")


def visible(page: Page) -> list[str]:
    """The texts of the rows in view, from top to bottom."""
    return page.evaluate(
        """() => {
          const view = document.querySelector(".log").getBoundingClientRect();
          return [...document.querySelectorAll(".log-line")].filter((row) => {
            const box = row.getBoundingClientRect();
            return box.bottom > view.top + 1 && box.top < view.bottom - 1;
          }).map((row) => row.querySelector(".text").textContent);
        }"""
    )


def wait_until(page: Page, condition: str, argument: Any = None) -> None:
    page.wait_for_function(condition, arg=argument)


# Scrolls by so many pixels, and waits until what there is to draw then is drawn.
SCROLL = """(pixels) => new Promise((done) => {
  document.querySelector(".log").scrollBy(0, pixels);
  requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done)));
})"""
HAS_ROW = "(text) => [...document.querySelectorAll('.log-line .text')].some((one) => one.textContent === text)"


def test_a_long_log_opens_at_its_end_and_only_what_is_in_view_is_in_the_page(page, project):
    logged.logged_build(project, [f"line {number}" for number in range(1, 50_001)])
    page.goto(BUILD)
    wait_until(page, HAS_ROW, "line 50000")
    assert visible(page)[-1] == "line 50000"
    assert page.locator(".log-line").count() < 120
    assert page.inner_text("[data-line-count]") == "50,000 lines"
    page.click("[data-jump=start]")
    wait_until(page, HAS_ROW, "line 1")
    assert visible(page)[0] == "line 1"
    page.mouse.move(600, 500)
    page.mouse.wheel(0, 3000)
    wait_until(page, HAS_ROW, "line 160")
    shown = visible(page)
    first = int(shown[0].removeprefix("line "))
    assert shown == [f"line {number}" for number in range(first, first + len(shown))]


def test_a_link_to_a_line_opens_there(page, project):
    logged.logged_build(project, [f"line {number}" for number in range(1, 20_001)])
    page.goto(f"{BUILD}#L12345")
    page.wait_for_selector("#L12345[aria-selected=true]")
    assert "line 12345" in visible(page)
    page.evaluate("location.hash = '#L77'")
    page.wait_for_selector("#L77[aria-selected=true]")
    assert "line 77" in visible(page) and page.locator("[aria-selected=true]").count() == 1


def test_more_lines_than_a_page_is_high_are_all_reached(page, project):
    build = logged.running_build(project)
    writer = logged.writer_of(build)
    writer.write("".join(f"line {number}\n" for number in range(1, 600_001)).encode())
    logged.end(build, writer)
    page.goto(BUILD)
    wait_until(page, HAS_ROW, "line 600000")
    for number in (1, 300_000, 599_000):
        page.evaluate(f"location.hash = '#L{number}'")
        page.wait_for_selector(f"#L{number}[aria-selected=true]")
        assert f"line {number}" in visible(page)


def test_live_lines_appear_are_followed_and_the_end_renews_the_page(page, project):
    build = logged.running_build(project)
    writer = logged.writer_of(build)
    page.goto(BUILD)
    wait_until(page, "() => document.querySelector('[data-live-state]').textContent === 'live'")
    for number in range(300):
        writer.write(f"\x1b[3{number % 8}mline {number}\n".encode())
    wait_until(page, HAS_ROW, "line 299")
    assert visible(page)[-1] == "line 299" and "line 0" not in visible(page)
    page.mouse.move(600, 500)
    page.mouse.wheel(0, -100_000)
    wait_until(page, HAS_ROW, "line 0")
    writer.write(b"line 300\n")
    wait_until(page, "() => document.querySelector('[data-line-count]').textContent === '301 lines'")
    assert visible(page)[0] == "line 0"  # who scrolled up stays there
    assert page.get_attribute("[data-follow]", "aria-pressed") == "false"
    logged.artifact_of(build)
    logged.end(build, writer)
    page.wait_for_selector("#build-actions >> text=Retry build")
    assert "Succeeded" in page.inner_text("#build-status") and "demo.zip" in page.inner_text("#build-artifacts")
    assert page.inner_text("[data-live-state]") == ""


def test_markup_in_a_log_stays_text(page, project):
    hostile = ["<img src=x onerror=alert(1)>", "</span><script>document.title='owned'</script>", "&lt;b&gt;"]
    build = logged.running_build(project)
    writer = logged.writer_of(build)
    writer.write("".join(f"{line}\n" for line in hostile).encode())
    page.goto(BUILD)
    wait_until(page, HAS_ROW, hostile[-1])
    writer.write("".join(f"{line} again\n" for line in hostile).encode())
    wait_until(page, HAS_ROW, f"{hostile[-1]} again")
    assert visible(page) == hostile + [f"{line} again" for line in hostile]
    assert page.locator(".log img, .log script").count() == 0
    logged.end(build, writer)


def test_the_browser_and_the_server_draw_the_same_rows(page, project):
    logged.logged_build(project, [line for line, _ in LINES])
    page.goto(BUILD)
    found = page.evaluate(
        """async ([source, lines, kinds]) => {
          const line = await import(source);
          return [lines.map(line.spans), kinds.map(line.kind)];
        }""",
        [static("js/log_line.js"), [line for line, _ in LINES], [line for line, _ in KINDS]],
    )
    assert found[0] == json.loads(json.dumps([wanted for _, wanted in LINES]))
    assert found[1] == [wanted for _, wanted in KINDS]


def test_long_lines_are_broken_on_demand_and_no_row_is_lost(page, project):
    long = " ".join(["word"] * 2000)
    logged.logged_build(project, [f"{number} {long if number % 7 == 0 else 'short'}" for number in range(1, 2001)])
    page.goto(f"{BUILD}#L700")
    page.wait_for_selector("#L700[aria-selected=true]")
    page.click("[data-wrap-toggle]")
    wait_until(page, "() => document.querySelector('#L700').offsetHeight > 400")
    fits = "() => { const log = document.querySelector('.log'); return log.scrollWidth <= log.clientWidth }"
    assert page.evaluate(fits)
    seen: list[int] = []
    for _ in range(30):
        last = seen[-1] if seen else 0
        seen += [number for number in (int(text.split()[0]) for text in visible(page)) if number > last]
        page.evaluate(SCROLL, 300)
    assert seen == list(range(seen[0], seen[-1] + 1)) and len(seen) > 14
    page.click("[data-jump=end]")
    wait_until(page, HAS_ROW, "2000 short")
    assert visible(page)[-1] == "2000 short"
    page.reload()
    page.wait_for_selector(".log[data-wrap=on]")  # the browser keeps the choice
