"""The editor of a file and the field for files to upload, as scripts make them."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from repos.models import Repository
from tests import factories, gitrepo

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("redis_server")]

AREA = "textarea[data-code-editor]"


@pytest.fixture
def demo(transactional_db: None) -> Repository:
    repository = factories.repository("demo")
    gitrepo.commit(repository.git, {"app.py": "def f():\n  return 1\n"})
    return repository


def show(repository: Repository, path: str) -> str:
    return gitrepo.git(repository.git, "show", f"main:{path}")


def test_tab_indents_as_the_file_does_and_escape_gives_it_back(page: Page, demo: Repository):
    page.goto("/repositories/demo/edit/main/app.py")
    area = page.locator(AREA)
    area.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("if x:")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("y")
    page.keyboard.press("Enter")
    page.keyboard.type("z")
    assert area.input_value() == "def f():\n  return 1\nif x:\n  y\n  z"
    page.keyboard.press("Shift+Tab")
    assert area.input_value().endswith("\n  y\nz")
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(area).not_to_be_focused()
    assert area.input_value().endswith("\n  y\nz"), "Tab wrote something though Escape was pressed"
    page.get_by_role("button", name="Show the changes").click()
    expect(page.locator("#preview tr[data-kind=added]")).to_have_count(3)
    page.get_by_role("button", name="Commit").click()
    page.wait_for_url("**/browse/main/app.py")
    assert show(demo, "app.py") == "def f():\n  return 1\nif x:\n  y\nz"


def test_unsaved_text_is_not_left_by_mistake(page: Page, demo: Repository):
    asked: list[str] = []

    def answer(dialog):
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", answer)
    page.goto("/repositories/demo/edit/main/app.py")
    page.get_by_role("link", name="Cancel").click()
    page.wait_for_url("**/browse/main/app.py")
    assert asked == []
    page.goto("/repositories/demo/edit/main/app.py")
    page.locator(AREA).press_sequentially("x")
    page.get_by_role("link", name="Cancel").click()
    page.wait_for_url("**/browse/main/app.py")
    assert asked == ["beforeunload"]


def test_a_chosen_folder_keeps_its_names(page: Page, demo: Repository, tmp_path: Path):
    (tmp_path / "site/css").mkdir(parents=True)
    (tmp_path / "site/css/main.css").write_text("a {}")
    (tmp_path / "site/index.html").write_text("<p>")
    page.goto("/repositories/demo/upload/main")
    page.locator("[data-upload-folder]").set_input_files(tmp_path / "site")
    expect(page.locator("[data-upload-list] li")).to_have_count(2)
    page.get_by_role("button", name="Commit the files").click()
    page.wait_for_url("**/browse/main")
    assert (show(demo, "site/css/main.css"), show(demo, "site/index.html")) == ("a {}", "<p>")


def test_files_can_be_dropped(page: Page, demo: Repository):
    page.goto("/repositories/demo/upload/main")
    page.evaluate(
        """() => {
          const transfer = new DataTransfer();
          transfer.items.add(new File(["1"], "one.txt"));
          transfer.items.add(new File(["2"], "two.txt"));
          const event = new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
          document.querySelector("[data-drop-zone]").dispatchEvent(event);
        }"""
    )
    expect(page.locator("[data-upload-list] li")).to_have_text(["one.txt", "two.txt"])
    page.get_by_role("button", name="Commit the files").click()
    page.wait_for_url("**/browse/main")
    assert (show(demo, "one.txt"), show(demo, "two.txt")) == ("1", "2")
