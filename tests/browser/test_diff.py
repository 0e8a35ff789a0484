"""A difference in a real browser: lines with addresses of their own."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests import factories, gitrepo

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]


def selected(page: Page) -> list[str]:
    return page.locator(".diff th[data-selected]:not(:empty)").all_inner_texts()


@pytest.mark.parametrize("view", ["unified", "split"])
def test_a_line_has_an_address_that_brings_it_wherever_it_is(alice, page: Page, view):
    repository = factories.repository("demo").git
    lines = [f"value_{number} = 1\n" for number in range(1, 1801)]
    gitrepo.commit(repository, {"a.py": "a\n", "z.py": "".join(lines)})
    lines[9] = "changed = 2\n"
    oid = gitrepo.commit(repository, {"a.py": "b\n", "z.py": "".join(lines)})
    place = f"/repositories/demo/commit/{oid}?view={view}"

    page.goto(place)
    page.locator('[data-path="z.py"] tr', has_text="changed = 2").locator("th", has_text="10").last.click()
    expect(page).to_have_url(re.compile(r"path=z\.py#R10$"), timeout=60_000)
    assert "10" in selected(page)
    page.locator('[data-path="z.py"] tr', has_text="value_12 = 1").locator("th", has_text="12").last.click(
        modifiers=["Shift"]
    )
    expect(page).to_have_url(re.compile(r"path=z\.py#R10-R12$"), timeout=60_000)
    assert {"10", "11", "12"} <= set(selected(page))

    # In lines that no hunk shows, beyond those that one request brings.
    page.goto(f"{place}&path=z.py#L1600-L1602")
    expect(page.locator('[data-path="z.py"] th[data-selected]').first).to_be_in_viewport(timeout=60_000)
    assert {"1600", "1601", "1602"} <= set(selected(page))


@pytest.mark.parametrize("last", ["colours=", "gap="])
def test_a_line_is_found_whatever_arrives_last(alice, page: Page, last):
    repository = factories.repository("demo").git
    lines = [f"value_{number} = 1\n" for number in range(1, 201)]
    gitrepo.commit(repository, {"z.py": "".join(lines)})
    oid = gitrepo.commit(repository, {"z.py": "".join(["changed = 2\n", *lines[1:]])})
    held: list[Route] = []
    is_first = True

    def hold(route: Route) -> None:
        """Keep the first answer of the kind until another kind's was drawn."""
        nonlocal is_first
        if is_first and last in route.request.url:
            is_first = False
            held.append(route)
        else:
            route.continue_()

    page.route("**/commit/**", hold)
    page.goto(f"/repositories/demo/commit/{oid}?path=z.py#R100", wait_until="domcontentloaded")
    first = page.locator("th[data-selected]", has_text="100") if last == "colours=" else page.locator(".diff .mi")
    expect(first.first).to_be_visible(timeout=60_000)
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    expect(page.locator("tr", has_text="value_1 = 1").locator(".mi")).to_have_count(1, timeout=60_000)
    expect(page.locator("th[data-selected]", has_text="100").first).to_be_in_viewport(timeout=60_000)
    assert selected(page) == ["100", "100"]
