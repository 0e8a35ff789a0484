"""What README, ARCHITECTURE.md and the pages under docs/ name is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codeservices import registry
from codeservices.celery import app

ROOT = Path(__file__).resolve().parents[2]


def setting_rows(page: str) -> dict[str, str]:
    """The rows of a page's tables of settings by the variables that they name; links by what they say."""
    text = re.sub(r"\[(?:docs/)?([\w-]+)(?:\.md)?\]\([^)]+\)", r"\1", (ROOT / page).read_text())
    rows = [line for line in text.splitlines() if re.match(r"\| `[A-Z]+_[A-Z_]+`", line)]
    return {name: row for row in rows for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])}


def test_the_tables_of_settings_name_what_settings_read():
    read = set(re.findall(r'env_\w+\(\s*"([A-Z_]+)"', (ROOT / "codeservices" / "settings.py").read_text()))
    every = setting_rows("docs/settings.md")
    assert set(every) == read
    asked_for_most = setting_rows("README.md")
    assert len(asked_for_most) > 8
    assert asked_for_most.items() <= every.items()


TOPS = ("codeservices", "repos", "builds", "templates", "static", "deploy", "bench", "tests")
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_heading_that_a_page_links_to_is_there(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        name, _, heading = target.partition("#")
        found = page.parent / name if name else page
        assert found.exists(), target
        headings = re.findall(r"^#+ (.+)$", found.read_text(), flags=re.M) if heading else []
        assert not heading or heading in {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}, (
            target
        )


def test_every_file_that_architecture_names_is_there():
    """By its path, or by its name alone where the sentence has named the folder."""
    text = (ROOT / "ARCHITECTURE.md").read_text().replace("`var/", "").replace("`spool/", "")
    named = set(re.findall(r"`((?:\w+/)*(?:\w+\.py|\w+/))`", text))
    assert len(named) > 80
    places = [path for top in TOPS for path in (ROOT / top, *(ROOT / top).rglob("*"))]
    assert not {name for name in named if not any(str(place).endswith(f"/{name.rstrip('/')}") for place in places)}


def operations(section: str) -> set[str]:
    """What the first columns of a section's tables in docs/operations.md name."""
    text = (ROOT / "docs" / "operations.md").read_text().split(f"## {section}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


@pytest.mark.django_db
def test_parts_figures_and_the_clock_are_documented():
    named = operations("Health and figures")
    metrics = {name for meter in registry.meters for name, *_ in meter.read()}
    parts = {one.name for one in registry.health_checks}
    assert metrics and parts
    always = {name for name in named if not name.startswith("codeservices_")}
    assert always == parts | set(app.conf.beat_schedule)
    assert metrics <= named
