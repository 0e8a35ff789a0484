"""The whole way through, as a person goes it: headless Chromium and the real git client against a real installation."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from builds.runner import engine
from tests.fixtures.browser import PATIENCE_MILLISECONDS, launched
from tests.fixtures.installation import Installation, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.docker]

BUILDSPEC = """version: 0.2
phases:
  build:
    commands:
      - echo "colour \033[32mgreen\033[0m"
      - for i in 1 2 3; do echo "tick $i"; sleep 0.4; done
      - while [ ! -e /tmp/was-watched ]; do sleep 0.2; done
      - for i in 4 5 6; do echo "tick $i"; sleep 0.4; done
      - mkdir out && echo "made by build $CODEBUILD_BUILD_NUMBER" > out/result.txt
artifacts:
  base-directory: out
  files:
    - '**/*'
""".replace("\033", "\\033")


@pytest.fixture
def page(installation: Installation) -> Iterator[Page]:
    """A page in which every error of a script or of the content security policy fails the test."""
    faults: list[str] = []
    with launched(installation.http_port) as browser:
        page = browser.new_context(base_url=installation.url, accept_downloads=True).new_page()
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        yield page
    assert faults == []


def sign_in(page: Page, installation: Installation) -> None:
    page.goto("/sign-in/")
    page.get_by_label("User name").fill(installation.admin["username"])
    page.get_by_label("Password").fill(installation.admin["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


def let_go_on(build_id: str) -> None:
    """What BUILDSPEC waits for, so that the browser sees the build at work however slow it is."""
    with closing(engine.connect()) as client:
        [container] = client.containers.list(filters={"label": f"{engine.BUILD_LABEL}={build_id}"})
        assert container.exec_run(["touch", "/tmp/was-watched"]).exit_code == 0


def test_from_sign_in_to_a_downloaded_artifact(installation: Installation, page: Page, tmp_path: Path):
    sign_in(page, installation)

    # Create a repository; the empty one tells how to fill it.
    page.get_by_role("link", name="Create repository").first.click()
    page.get_by_label("Name", exact=True).fill("walk")
    page.get_by_role("button", name="Create repository").click()
    expect(page.get_by_role("heading", name="walk", exact=True)).to_be_visible()
    expect(page.get_by_text("git clone").first).to_be_visible()

    # Push from a clone, over HTTPS.
    clone = tmp_path / "walk"
    url = f"{installation.https_url}/v1/repos/walk"
    installation.git("clone", url, str(clone))
    (clone / "buildspec.yml").write_text(BUILDSPEC)
    (clone / "README.md").write_text("# walk\n")
    installation.git("add", "--all", cwd=clone)
    installation.git("commit", "-m", "Add a buildspec", cwd=clone)
    installation.git("push", "origin", "HEAD:refs/heads/main", cwd=clone)
    page.reload()
    expect(page.get_by_role("link", name="buildspec.yml")).to_be_visible()
    expect(page.get_by_text("Add a buildspec").first).to_be_visible()

    # A project that builds each push to main.
    page.goto("/projects/new/")
    page.get_by_label("Name", exact=True).first.fill("walk")
    page.get_by_label("Source", exact=True).select_option("walk")
    page.get_by_label("Branch or version", exact=True).fill("main")
    page.get_by_label("Build on every push to this branch").check()
    page.get_by_label("Keep artifacts", exact=True).check()
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_role("heading", name="walk", exact=True)).to_be_visible()

    # The push starts the build; its log is watched while it runs.
    (clone / "README.md").write_text("# walk\n\nMore.\n")
    installation.git("commit", "-am", "Say more", cwd=clone)
    installation.git("push", "origin", "HEAD:refs/heads/main", cwd=clone)
    codebuild = installation.client("codebuild")
    [build_id] = wait_for(
        lambda: codebuild.list_builds_for_project(projectName="walk")["ids"], what="the build that the push starts"
    )
    page.goto("/projects/walk/builds/1/")
    log = page.locator(".log-box")
    expect(log.get_by_text("tick 2", exact=True)).to_be_visible()
    expect(page.get_by_text("In progress").first).to_be_visible()
    let_go_on(build_id)
    expect(log.get_by_text("tick 6", exact=True)).to_be_visible()
    expect(page.get_by_text("Succeeded").first).to_be_visible()
    expect(page.get_by_role("link", name="Say more").or_(page.get_by_text("started by")).first).to_be_visible()

    # The artifact is what the build made.
    page.reload()
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile(r"\.zip$")).first.click()
    archive = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert archive.namelist() == ["result.txt"]
    assert archive.read("result.txt") == b"made by build 1\n"

    # The trail knows all of it.
    page.goto("/audit/")
    for act in ("CreateRepository", "GitPush", "CreateProject", "StartBuild"):
        expect(page.get_by_role("cell", name=re.compile(rf"^{act}\b")).first).to_be_visible()

    # Signing out is a POST and ends the session.
    page.get_by_role("button", name=re.compile(installation.admin["username"])).click()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/repositories/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
