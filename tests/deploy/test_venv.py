from __future__ import annotations

import json

from deploy import venv


def test_an_environment_is_current_while_its_lock_has_not_changed(tmp_path):
    lock = tmp_path / venv.RUNTIME_LOCK
    lock.write_text("Django==5.2\n")
    assert not venv.is_current({}, lock)
    stamp = {lock.name: venv.digest(lock)}
    assert venv.is_current(stamp, lock)
    lock.write_text("Django==5.2.1\n")
    assert not venv.is_current(stamp, lock)


def test_a_missing_or_half_written_stamp_means_nothing_is_installed(tmp_path):
    assert venv.read_stamp(tmp_path) == {}
    (tmp_path / "code-services.json").write_text('{"requirements')
    assert venv.read_stamp(tmp_path) == {}
    (tmp_path / "code-services.json").write_text(json.dumps({"requirements.lock": "ab"}))
    assert venv.read_stamp(tmp_path) == {"requirements.lock": "ab"}


def test_the_dev_lock_holds_everything_of_the_runtime_lock_with_the_same_pins():
    def pins(name: str) -> set[str]:
        text = (venv.places.ROOT / name).read_text()
        return {line.split(" ")[0] for line in text.splitlines() if "==" in line and not line.startswith((" ", "#"))}

    assert pins(venv.RUNTIME_LOCK) <= pins(venv.DEV_LOCK)
    assert len(pins(venv.RUNTIME_LOCK)) > 30
