"""The JSON editor of policies in a real browser: numbers, indentation, faults as one types, texts to start from."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("redis_server"),
]

MISTAKEN = (
    '{\n  "Version": "2012-10-17",\n  "Statement": {"Effect": "Allow",\n    "Action": "pull", "Resource": "*"}\n}'
)


def test_a_policy_is_written_with_the_editors_help(page):
    page.goto("/iam/policies/new/")
    area, check = page.get_by_label("JSON document"), page.locator(".editor-check")
    expect(check).to_contain_text("Valid")

    # A fault is told where it is, and its line marked; its link leads there.
    area.fill(MISTAKEN)
    expect(check).to_contain_text("“pull” is no action")
    expect(page.locator(".editor-lines > [data-faulty]")).to_have_text("4")
    expect(page.locator(".editor-lines > span")).to_have_count(5)
    check.get_by_role("button", name="Line 4").click()
    assert area.evaluate("(area) => area.value.slice(0, area.selectionStart).split('\\n').length") == 4

    # Tab and Enter indent; Escape lets Tab leave.
    area.fill("")
    page.keyboard.type("{")
    page.keyboard.press("Enter")
    page.keyboard.type('"Version": "2012-10-17"')
    assert area.input_value() == '{\n  "Version": "2012-10-17"'
    page.keyboard.press("Tab")
    assert area.input_value().endswith('"  ')
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(area).not_to_be_focused()

    # Start from a text, and save it.
    page.get_by_text("Start from…").click()
    page.get_by_role("link", name="Protect a branch").click()
    expect(area).to_have_value(json.dumps(json.loads(area.input_value()), indent=2))
    expect(check).to_contain_text("of 6,144 characters")
    expect(page.locator(".editor-lines > [data-faulty]")).to_have_count(0)
    page.get_by_label("Name", exact=True).fill("protect-main")
    page.get_by_role("button", name="Create policy").click()
    expect(page.get_by_role("heading", name="protect-main")).to_be_visible()
    expect(page.locator(".policy-document")).to_contain_text("codecommit:References")


def test_a_long_list_is_narrowed_as_one_types(page, bob):
    page.goto("/iam/users/bob/")
    page.get_by_text("Attach policies").click()
    page.get_by_label("Filter policies").fill("start, stop")
    expect(page.locator("#policy-choices li:visible")).to_have_count(1)
    page.get_by_label("AWSCodeBuildDeveloperAccess").check()
    page.get_by_role("button", name="Attach", exact=True).click()
    expect(page.get_by_role("rowheader", name="AWSCodeBuildDeveloperAccess")).to_be_visible()
