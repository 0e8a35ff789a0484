"""The tests that failed, told once more at the end of all runs, where a reader or a log's tail has them in sight."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from deploy import say

# Of each failure; the run itself has printed all of it.
MAX_LINES = 40


def repeat(title: str, report: Path) -> None:
    """Print the failures of a run with the last lines of each; nothing where all passed or no report was written.

    Args:
        title: What was run.
        report: The JUnit XML file that pytest wrote.
    """
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return
    for case in cases:
        for fault in (*case.findall("failure"), *case.findall("error")):
            say.line(f"==> Failed {title}: {case.get('classname')}.{case.get('name')}")
            for text in (fault.text or fault.get("message") or "").splitlines()[-MAX_LINES:]:
                say.line(f"    | {text}")
