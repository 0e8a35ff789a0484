"""The pages of rows that a windowed view lacks, in a real browser: fetched if in view, and again if that failed."""

from __future__ import annotations

import pytest
from django.templatetags.static import static
from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("redis_server"),
]

# A view of rows 0 to 9 that lacks two pages, of which one is out of view, and a server that is away at first.
FETCHED = """async (address) => {
  const { WantedPages } = await import(address);
  const asked = [];
  return new Promise((resolve) => {
    setTimeout(() => resolve(asked), 60_000); // as far as it came
    const load = async (page) => {
      asked.push(page);
      if (asked.length === 1) throw new Error("away");
    };
    const loaded = () => (asked.length === 1 ? wanted.add(5) : resolve(asked));
    const wanted = new WantedPages({ size: 10, range: () => [0, 9], load, loaded });
    wanted.add(5);
    wanted.add(9);
    wanted.add(95);
  });
}"""


def test_a_page_in_view_is_fetched_once_and_again_where_that_failed(page: Page):
    page.goto("/")
    assert page.evaluate(FETCHED, static("js/wanted_pages.js")) == [0, 0]
