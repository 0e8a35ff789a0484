from __future__ import annotations

import pytest

from codeservices import env, keys


def test_an_unset_or_empty_variable_is_its_default(monkeypatch):
    monkeypatch.setenv("EMPTY", " ")
    assert env.env_str("EMPTY", "default") == "default"
    assert env.env_int("MISSING", 7) == 7
    assert env.env_bool("MISSING", True) is True


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("ON", True), ("1", True), ("no", False), ("off", False)])
def test_booleans_are_read_in_every_usual_spelling(monkeypatch, text, value):
    monkeypatch.setenv("FLAG", text)
    assert env.env_bool("FLAG", not value) is value


@pytest.mark.parametrize(
    ("read", "text", "sentence"),
    [
        (lambda: env.env_bool("ODD", True), "maybe", "ODD must be yes or no, not “maybe”."),
        (lambda: env.env_int("ODD", 1), "ten", "ODD must be a whole number, not “ten”."),
        (lambda: env.env_int("ODD", 1, minimum=1, maximum=5), "9", "ODD must lie between 1 and 5, not 9."),
    ],
)
def test_an_odd_value_stops_the_start_with_a_sentence(monkeypatch, read, text, sentence):
    monkeypatch.setenv("ODD", text)
    with pytest.raises(env.SettingError) as caught:
        read()
    assert str(caught.value) == sentence


def test_a_secret_may_stand_in_a_file(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("hush\n")
    monkeypatch.setenv("TOKEN_FILE", str(tmp_path / "secret"))
    assert env.env_secret("TOKEN") == "hush"
    monkeypatch.setenv("TOKEN", "other")
    with pytest.raises(env.SettingError, match="TOKEN or TOKEN_FILE, not both"):
        env.env_secret("TOKEN")


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    path = tmp_path / "keys" / "master"
    first = keys.load_or_create(path, keys.new_master_key)
    assert keys.load_or_create(path, keys.new_master_key) == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["master"]
