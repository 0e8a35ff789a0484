"""A browser that is signed in as alice, for tests of what scripts do on a page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.fixtures.people import signed_in

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture
def page(live_server_url, alice, monkeypatch) -> Iterator[Page]:
    """A page of a browser that is signed in as alice; anything its console complains of fails the test."""
    session = signed_in(alice).cookies["codeservices_session"].value
    # The browser's driver runs an event loop in this thread, in which Django would refuse to touch the database.
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        context = browser.new_context(base_url=live_server_url, viewport={"width": 1280, "height": 900})
        context.add_cookies([{"name": "codeservices_session", "value": session, "url": live_server_url}])
        made = context.new_page()
        complaints: list[str] = []
        made.on("pageerror", lambda error: complaints.append(str(error)))
        made.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        yield made
        browser.close()
    assert complaints == []
