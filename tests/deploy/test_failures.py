"""What failed in a run of tests is told once more behind the run that came after it."""

from __future__ import annotations

import subprocess
import sys

from deploy import failures


def test_each_failure_is_named_with_the_end_of_what_was_said_of_it(tmp_path, capsys):
    (tmp_path / "test_it.py").write_text(
        "import pytest\n\n@pytest.fixture\ndef broken():\n    raise OSError('no room')\n\n"
        "def test_good(): pass\ndef test_wrong(): assert 'a' == 'b'\ndef test_not_begun(broken): pass\n"
    )
    report = tmp_path / "report.xml"
    subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--junitxml", report, tmp_path],
        cwd=tmp_path,
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        check=False,
    )
    failures.repeat("on SQLite", report)
    said = capsys.readouterr().out
    assert "==> Failed on SQLite: test_it.test_wrong\n" in said
    assert "    | >   def test_wrong(): assert 'a' == 'b'\n" in said
    assert "==> Failed on SQLite: test_it.test_not_begun\n" in said
    assert "    | E       OSError: no room\n" in said
    assert "test_good" not in said


def test_a_run_that_wrote_no_report_says_nothing(tmp_path, capsys):
    failures.repeat("on SQLite", tmp_path / "missing.xml")
    (tmp_path / "half.xml").write_text("<testsuites>")
    failures.repeat("on SQLite", tmp_path / "half.xml")
    assert capsys.readouterr().out == ""
