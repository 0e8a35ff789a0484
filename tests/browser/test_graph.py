"""The commit graph in a real browser: a window over all rows, keys, lines that are followed, and what it keeps."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page

from tests import factories, gitrepo

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]

GRAPH = "/repositories/demo/graph"
COMMITS = 6000
MERGED_EVERY = 10


@pytest.fixture
def graph(alice, settings, tmp_path):
    """demo with 6,000 commits: main, and a topic that is merged at every tenth."""
    settings.GRAPH_CACHE_ROOT = tmp_path / "graph"
    repository = factories.repository("demo")
    stream = []
    for number in range(1, COMMITS + 1):
        is_merge = number % MERGED_EVERY == 0
        stream.append(f"commit refs/heads/main\nmark :{number}\ncommitter C <c@x> {gitrepo.START + number} +0000\n")
        message = f"Change {number}"
        stream.append(f"data {len(message)}\n{message}\n")
        if number > 1:
            stream.append(f"from :{number - 1}\n")
        if is_merge:
            stream.append(f"merge :{number - MERGED_EVERY // 2}\n")
    with repository.git as git:
        gitrepo.git(git, "fast-import", "--quiet", input="".join(stream))
    return repository


def wait_until(page: Page, condition: str, argument=None) -> None:
    page.wait_for_function(condition, arg=argument)


def opened(page: Page, address: str = GRAPH) -> None:
    page.goto(address)
    page.wait_for_selector("[data-windowed]")


HAS_ROW = "(text) => [...document.querySelectorAll('.graph .row-title')].some((one) => one.textContent === text)"
IS_FOCUSED = "(text) => document.activeElement?.textContent === text"


def visible(page: Page) -> list[str]:
    """The subjects of the rows in view, from top to bottom."""
    return page.evaluate(
        """() => {
          const view = document.querySelector(".graph-view").getBoundingClientRect();
          return [...document.querySelectorAll(".graph tbody tr")].filter((row) => {
            const box = row.getBoundingClientRect();
            return box.bottom > view.top + 1 && box.top < view.bottom - 1;
          }).map((row) => row.querySelector(".graph-subject").textContent);
        }"""
    )


def kept(page: Page) -> tuple[int, int]:
    """(nodes of the document and of what scripts hold, bytes of their heap) after the garbage is collected."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("HeapProfiler.collectGarbage")
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
    return int(metrics["Nodes"]), int(metrics["JSHeapUsedSize"])


def scroll_to(page: Page, row: int) -> None:
    page.evaluate("(row) => { document.querySelector('.graph-view').scrollTop = row * 28; }", row)
    wait_until(page, HAS_ROW, f"Change {COMMITS - row}")


def test_only_what_is_near_the_view_is_in_the_page_however_far_one_scrolls(page, graph):
    opened(page)
    assert page.inner_text("[data-graph-count]") == "6,000 commits"
    assert page.get_attribute(".graph", "aria-rowcount") == "6001"
    for row in range(0, 1000, 100):  # as many pages as are kept at all
        scroll_to(page, row)
    nodes, heap = kept(page)
    for row in [*range(1000, COMMITS - 100, 500), COMMITS - 1]:
        scroll_to(page, row)
        assert page.locator(".graph tbody tr").count() < 100
    later_nodes, later_heap = kept(page)
    assert later_nodes < 1.3 * nodes
    assert later_heap < heap + 4 * 1024**2
    shown = visible(page)
    assert shown[-1] == "Change 1"
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert shown == [f"Change {number}" for number in range(len(shown), 0, -1)]
    first = COMMITS - len(shown)  # the address follows a moment after the rows
    wait_until(page, f"() => Math.abs(new URLSearchParams(location.search).get('from') - {first}) <= 1")
    page.reload()
    wait_until(page, HAS_ROW, "Change 1")
    assert visible(page)[-1] == "Change 1"


def test_keys_move_through_the_rows_and_along_the_first_parents(page, graph):
    opened(page)
    for _ in range(40):
        page.keyboard.press("j")
    wait_until(page, IS_FOCUSED, "Change 5961")
    assert "Change 5961" in visible(page)
    page.keyboard.press("ArrowUp")
    wait_until(page, IS_FOCUSED, "Change 5962")
    page.keyboard.press("p")
    wait_until(page, IS_FOCUSED, "Change 5961")
    page.keyboard.press("End")
    wait_until(page, IS_FOCUSED, "Change 1")
    assert page.locator("tr[data-selected]").count() == 1
    page.keyboard.press("Home")
    wait_until(page, IS_FOCUSED, "Change 6000")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/repositories/demo/commit/[0-9a-f]{40}"))


def test_lines_light_up_and_lead_to_the_commit_they_go_to_and_back(page, graph):
    opened(page)
    scroll_to(page, 3000)
    merge = page.locator("tr", has_text="Change 3000")
    second = merge.locator(".graph-parents a").nth(1)
    number = second.get_attribute("data-to")
    assert number == "3005"
    second.focus()
    assert page.locator(f"path[data-to='{number}'][data-lit]").count() == 7
    page.locator(f"path[data-to='{number}']").first.dispatch_event("click")
    wait_until(page, IS_FOCUSED, "Change 2995")
    page.fill("#graph-find", "change 17")
    page.press("#graph-find", "Enter")
    wait_until(page, IS_FOCUSED, "Change 1799")
    assert "Change 1799" in visible(page)
    page.go_back()
    wait_until(page, HAS_ROW, "Change 3000")
    assert "Change 3000" in visible(page)


def test_a_push_is_told_while_the_page_is_open(page, graph):
    opened(page)
    with graph.git as git:
        gitrepo.commit(git, {"a": "1"}, "Pushed", at=gitrepo.START + 10**6)
    page.evaluate("document.querySelector('.graph-view').scrollTop = 3000 * 28")
    wait_until(page, "() => document.querySelector('[data-graph-status]').textContent.includes('was pushed')")
    assert page.inner_text("[data-graph-count]") == "6,001 commits"
    page.evaluate("document.querySelector('.graph-view').scrollTop = 0")
    wait_until(page, HAS_ROW, "Pushed")


def test_branches_are_chosen_by_name_on_a_narrow_screen_too(page, graph):
    with graph.git as git:
        for number in range(40):
            gitrepo.update_ref(git, f"refs/heads/b{number:02}", gitrepo.git(git, "rev-parse", f"main~{number}"))
    page.set_viewport_size({"width": 390, "height": 800})
    opened(page)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    page.click(".graph-choice summary")
    assert page.locator(".graph-choice [type=checkbox]").count() == 35
    page.fill("#graph-filter", "b39")
    wait_until(page, "() => document.querySelectorAll('.graph-choice [type=checkbox]').length === 1")
    page.check(".graph-choice [type=checkbox]")
    page.click("text=Show these")
    page.wait_for_url(re.compile(r"branch=main&branch=b39|branch=b39&branch=main"))
    assert page.inner_text(".graph-choice summary").strip() == "2 branches"
