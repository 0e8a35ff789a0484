"""The page of a file in a real browser: colours that come later, chosen lines, pictures that run nothing."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests import factories, gitrepo

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("redis_server"),
]

FILE = "/repositories/demo/browse/main/app.py"
SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><rect width="40" height="30" fill="teal"/>
<script>fetch("/ran")</script></svg>
"""


@pytest.fixture
def code(alice):
    repository = factories.repository("demo").git
    source = "".join(f"value_{number} = 'text'  # {number}\n" for number in range(1, 3001))
    gitrepo.commit(repository, {"app.py": source, "a.svg": SVG, "latin": "na\xefve\n".encode("latin-1")})
    return repository


def is_colours(route: Route) -> bool:
    return "hx-request" in route.request.headers


def selected(page: Page) -> list[str]:
    rows = page.locator('tr[aria-selected="true"] > th')
    return rows.all_inner_texts()


def test_colours_come_after_the_page_and_the_choice_stays(page: Page, code):
    page.goto(f"{FILE}#L10-L12")
    expect(page.locator("#L12 .s1")).to_have_text("'text'", timeout=30_000)
    assert selected(page) == ["10", "11", "12"]
    assert page.locator("tbody tr").count() == 3000
    assert page.locator('th > a:not([tabindex="-1"])').count() == 1


def test_lines_are_chosen_by_click_and_a_range_with_shift(page: Page, code):
    page.goto(FILE)
    page.locator("#L5 > th > a").click()
    assert page.url.endswith("#L5")
    page.locator("#L8 > th > a").click(modifiers=["Shift"])
    assert (page.url.partition("#")[2], selected(page)) == ("L5-L8", ["5", "6", "7", "8"])
    page.locator("#L3 > th > a").click(modifiers=["Shift"])
    assert selected(page) == ["3", "4", "5"]
    page.locator("#L2 > th").click(position={"x": 3, "y": 3})  # beside the digit
    assert selected(page) == ["2"]


def test_lines_are_chosen_by_keys(page: Page, code):
    page.goto(FILE)
    page.locator("#L1 > th > a").focus()
    for key in ("ArrowDown", "ArrowDown", "Shift+ArrowDown", "Shift+ArrowDown", "Shift+ArrowUp"):
        page.keyboard.press(key)
    assert (page.url.partition("#")[2], selected(page)) == ("L3-L4", ["3", "4"])
    assert page.evaluate("document.activeElement.textContent") == "4"


def test_who_is_on_a_number_stays_there_when_the_colours_come(page: Page, code):
    colours: list[Route] = []
    page.route("**/browse/*/app.py*", lambda route: colours.append(route) if is_colours(route) else route.continue_())
    page.goto(FILE, wait_until="domcontentloaded")
    while not colours:
        page.wait_for_timeout(20)
    page.locator("#L3 > th > a").focus()
    for held in colours:
        held.continue_()
    expect(page.locator("#L12 .s1")).to_have_text("'text'", timeout=30_000)
    expect(page.locator("#L3 > th > a")).to_be_focused()
    page.keyboard.press("Shift+ArrowDown")
    assert selected(page) == ["3", "4"]


def test_y_makes_the_address_permanent_and_keeps_the_lines(page: Page, code):
    page.goto(f"{FILE}#L7")
    page.keyboard.press("y")
    oid = gitrepo.git(code, "rev-parse", "main")
    assert page.url.endswith(f"/repositories/demo/browse/{oid}/app.py#L7")
    page.reload()
    assert selected(page) == ["7"]


def test_the_content_is_copied_in_the_characters_that_it_has(page: Page, code):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/repositories/demo/browse/main/latin")
    button = page.get_by_role("button", name="Copy the content")
    button.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "naïve\n"


def test_a_picture_is_drawn_and_its_scripts_do_not_run(page: Page, code):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/repositories/demo/browse/main/a.svg")
    assert page.locator(".blob-image img").evaluate("image => image.naturalWidth") == 40
    page.goto("/repositories/demo/raw/main/a.svg")
    assert page.locator("pre").inner_text().startswith("<svg")
    assert not [url for url in asked if url.endswith("/ran")]


def test_the_address_of_lines_of_a_file_that_is_drawn_leads_to_its_source(page: Page, alice):
    oid = gitrepo.commit(factories.repository("demo").git, {"a.csv": "a,b\n1,2\n3,4\n", "b.md": "# One\n\ntwo\n"})
    page.goto(f"/repositories/demo/browse/{oid}/a.csv#L3")
    expect(page.locator("tr#L3 td").first).to_have_text("3")
    page.goto(f"/repositories/demo/browse/{oid}/b.md#L3")
    expect(page).to_have_url(re.compile(r"b\.md\?source#L3$"))
    expect(page.locator("tr#L3[aria-selected=true]")).to_be_visible()
    page.goto(f"/repositories/demo/browse/{oid}/a.csv#L2-L3")
    expect(page).to_have_url(re.compile(r"a\.csv\?source#L2-L3$"))
    expect(page.locator("tr[aria-selected=true]")).to_have_count(2)
