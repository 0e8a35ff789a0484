"""A browser that is signed in as alice, for tests of what scripts do on a page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page

from codeservices.iam.models import User
from tests.fixtures.browser import PATIENCE_MILLISECONDS, launched
from tests.fixtures.people import signed_in


@pytest.fixture(scope="package")
def browser(web_server: str) -> Iterator[Browser]:
    """One for all of these tests, which goes with the last: the event loop that it needs is none for others."""
    with launched(int(web_server.rpartition(":")[2])) as started:
        yield started


@pytest.fixture
def page(browser: Browser, live_server_url: str, alice: User) -> Iterator[Page]:
    """A page of a browser that is signed in as alice; anything its console complains of fails the test."""
    session = signed_in(alice).cookies[settings.SESSION_COOKIE_NAME].value
    context = browser.new_context(base_url=live_server_url, viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server_url}])
    made = context.new_page()
    made.set_default_timeout(PATIENCE_MILLISECONDS)
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(f"{made.url}: {error}"))
    made.on("console", lambda said: faults.append(f"{made.url}: {said.text}") if said.type == "error" else None)
    yield made
    context.close()
    assert faults == []
