"""What the processes that we start find in their environment."""

from __future__ import annotations

from deploy import places


def test_processes_keep_what_they_compiled_whatever_the_shell_says(monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in places.child_environment()


def test_another_projects_settings_are_not_ours(monkeypatch):
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "elsewhere.settings")
    assert "DJANGO_SETTINGS_MODULE" not in places.child_environment()
