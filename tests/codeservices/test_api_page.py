"""docs/api.md names exactly the operations that are served."""

from __future__ import annotations

from pathlib import Path

from codeservices.aws import dispatch

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def test_the_page_lists_what_is_served():
    rows = [line.strip("| \n").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    told = {(row[0], name) for row in rows if row[0] != "service" for name in row[1].split(", ")}
    assert told == set(dispatch.registered())
