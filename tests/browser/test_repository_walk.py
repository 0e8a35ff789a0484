"""What changes a repository, in a real browser as a person goes through it; no script or policy may complain."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from repos.models import Comment, Repository
from tests import factories, gitrepo

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def demo(alice, page: Page) -> Repository:
    repository = factories.repository("demo")
    gitrepo.commit(repository.git, {"app.txt": "one\n"})
    return repository


def git(repository: Repository, *args: str) -> str:
    return gitrepo.git(repository.git, *args)


def test_files_are_uploaded_renamed_and_deleted_and_a_commit_is_reverted(page: Page, demo: Repository):
    page.goto("/repositories/demo/")
    page.get_by_role("link", name="Upload").click()
    files = [{"name": f"up{n}.txt", "mimeType": "text/plain", "buffer": b"x\n"} for n in (1, 2)]
    page.get_by_label("Files").set_input_files(files)  # type: ignore[arg-type]
    page.get_by_role("button", name="Commit the files").click()
    page.get_by_role("link", name="up1.txt").click()
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Path").fill("folder/new.txt")
    page.get_by_role("button", name="Commit").click()
    page.wait_for_url("**/browse/main/folder/new.txt")
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete the file").click()
    expect(page.get_by_role("status").filter(has_text="is on main")).to_be_visible()
    assert git(demo, "ls-tree", "-r", "--name-only", "main").split() == ["app.txt", "up2.txt"]

    page.goto(f"/repositories/demo/commit/{git(demo, 'rev-parse', 'main')}")
    page.get_by_role("link", name="Revert").click()
    page.get_by_role("button", name="Revert the commit").click()
    expect(page.get_by_role("heading", name='Revert "Deleted new.txt"')).to_be_visible()
    assert git(demo, "ls-tree", "-r", "--name-only", "main").split() == ["app.txt", "folder/new.txt", "up2.txt"]


def test_a_branch_is_made_chosen_as_the_default_and_deleted_once_its_name_is_typed(page: Page, demo: Repository):
    page.goto("/repositories/demo/branches")
    page.get_by_label("Name", exact=True).fill("topic/x")
    page.get_by_role("button", name="Create branch").click()
    page.get_by_role("table").get_by_label("More of topic/x").click()
    page.get_by_role("button", name="Make it the default").click()
    expect(page.locator("tr", has_text="topic/x").get_by_text("default", exact=True)).to_be_visible()
    page.get_by_role("table").get_by_label("More of main").click()
    page.get_by_text("Delete…").locator("visible=true").click()
    button = page.get_by_role("button", name="Delete").locator("visible=true")
    expect(button).to_be_disabled()
    page.locator("input[name=confirm_name]:visible").press_sequentially("main")
    button.click()
    expect(page.get_by_label("More of main")).to_have_count(0)
    assert git(demo, "for-each-ref", "--format=%(refname)") == "refs/heads/topic/x"


def test_a_menu_stays_open_when_the_rows_come_again_with_what_was_counted(page: Page, demo: Repository):
    git(demo, "branch", 'odd/"<&', "main")
    held: list[Route] = []
    page.route("**/branches?divergence=1", lambda route: held.append(route))
    page.goto("/repositories/demo/branches")
    page.get_by_label('More of odd/"<&').click()
    offered = page.get_by_role("table").get_by_role("link", name="Protect…").locator("visible=true")
    expect(offered).to_have_count(1)
    expect(page.get_by_text("…", exact=True).locator("visible=true")).to_have_count(1)
    [counting] = held
    counting.continue_()
    expect(page.get_by_text("0 | 0").locator("visible=true")).to_have_count(1)
    expect(offered).to_have_count(1)


def test_a_commit_is_commented_on_and_reacted_to(page: Page, demo: Repository):
    page.goto(f"/repositories/demo/commit/{git(demo, 'rev-parse', 'main')}")
    page.get_by_label("Comment on this commit").fill("Well **done**")
    page.get_by_role("button", name="Comment", exact=True).click()
    page.get_by_label("Add a reaction").click()
    page.locator(".reaction-choices").get_by_role("button").first.click()
    expect(page.locator(".reactions [aria-pressed=true]")).to_have_count(1)
    expect(page.locator(".comment strong")).to_have_text("done")
    assert Comment.objects.get().content == "Well **done**"
