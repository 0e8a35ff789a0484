"""Takes the README's pictures from a running installation: docs/screenshots/take.py VAR [PROJECT BUILD].

There is a user sofia with AWSCodeCommitPowerUser, and a repository celery. The pictures are then quantised.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).resolve().parent


def main() -> None:
    admin = json.loads((Path(sys.argv[1]) / "admin.json").read_text())
    project, build = sys.argv[2:4] if len(sys.argv) > 3 else ("sample", "1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-background-networking"]
        )
        for scheme in ("light", "dark"):
            context = browser.new_context(
                base_url=admin["console_url"], viewport={"width": 1280, "height": 800}, color_scheme=scheme
            )
            page = context.new_page()
            page.goto("/sign-in/")
            page.get_by_label("User name").fill(admin["username"])
            page.get_by_label("Password").fill(admin["password"])
            page.keyboard.press("Enter")
            page.get_by_role("heading", name="Dashboard").wait_for()
            for name, path in {
                "build": f"/projects/{project}/builds/{build}/",
                "code": "/repositories/celery/",
                "diff": "/repositories/celery/compare/v5.3.0...v5.3.1",
                "simulator": "/iam/simulator/?user=sofia&action=codecommit:GitPush&resource=*",
            }.items():
                page.goto(path)
                page.wait_for_load_state("networkidle")
                page.screenshot(path=HERE / f"{name}{'' if scheme == 'light' else '-dark'}.png")
        browser.close()


if __name__ == "__main__":
    main()
