"""The layout of var/, and code that meets a var/ of another age."""

from __future__ import annotations

import stat

import pytest

from codeservices import state


def test_every_folder_is_made_for_its_owner_alone(tmp_path):
    var = tmp_path / "var"
    state.prepare(var)
    for folder in (var, *(var / name for name in state.FOLDERS)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (var / "VERSION").read_text() == f"{state.VERSION}\n"


def test_preparing_again_puts_right_what_was_opened_and_leaves_the_rest(tmp_path):
    state.prepare(tmp_path)
    (tmp_path / "objects").chmod(0o755)
    (tmp_path / "objects" / "kept").write_text("x")
    state.prepare(tmp_path)
    assert stat.S_IMODE((tmp_path / "objects").stat().st_mode) == 0o700
    assert (tmp_path / "objects" / "kept").read_text() == "x"


def test_older_code_refuses_a_newer_var_and_touches_nothing(tmp_path):
    (tmp_path / "VERSION").write_text(f"{state.VERSION + 1}\n")
    with pytest.raises(state.NewerState, match=rf"newer code \(version {state.VERSION + 1}; this code knows"):
        state.prepare(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["VERSION"]


def test_newer_code_takes_over_an_older_var(tmp_path, monkeypatch):
    state.prepare(tmp_path)
    monkeypatch.setattr(state, "VERSION", 7)
    state.prepare(tmp_path)
    assert (tmp_path / "VERSION").read_text() == "7\n"


def test_a_version_that_is_no_number_is_told(tmp_path):
    (tmp_path / "VERSION").write_text("seven\n")
    with pytest.raises(state.NewerState, match="holds “seven”, not a number"):
        state.prepare(tmp_path)
