"""What README and docs/operations.md list is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codeservices import registry
from codeservices.celery import app

ROOT = Path(__file__).resolve().parents[2]


def test_the_settings_table_names_what_settings_read():
    read = set(re.findall(r'env_\w+\(\s*"([A-Z_]+)"', (ROOT / "codeservices" / "settings.py").read_text()))
    section = (ROOT / "README.md").read_text().split("## Settings")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)} == read


def test_every_file_that_the_readme_links_to_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target


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
