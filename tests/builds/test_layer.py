"""Files straight into a container's layer: where that may be done, and that nothing leads out of it."""

from __future__ import annotations

import os
import stat

import pytest

from builds.runner import layer
from builds.runner.layer import Entry

FILES = (
    Entry("/codebuild", 0o755),
    Entry("/codebuild/tmp", 0o777),
    Entry("/codebuild/secret", 0o600, b"s3cret"),
)


@pytest.fixture
def root_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def inspected(folder: object, **more: object) -> dict[str, object]:
    return {"GraphDriver": {"Data": {"UpperDir": str(folder)}}, "Mounts": [], **more}


def test_files_and_folders_have_their_modes_whatever_the_umask_is(tmp_path):
    before = os.umask(0o077)
    try:
        layer.write(tmp_path, FILES)
    finally:
        os.umask(before)
    assert (tmp_path / "codebuild/secret").read_bytes() == b"s3cret"
    modes = {one.path: stat.S_IMODE((tmp_path / one.path[1:]).stat().st_mode) for one in FILES}
    assert modes == {one.path: one.mode for one in FILES}


def test_a_folder_that_a_source_has_made_stays_as_it_is(tmp_path):
    (tmp_path / "codebuild").mkdir(mode=0o700)
    layer.write(tmp_path, FILES)
    assert stat.S_IMODE((tmp_path / "codebuild").stat().st_mode) == 0o700


@pytest.mark.parametrize("link", ["codebuild", "codebuild/secret"])
def test_no_link_is_followed_out_of_the_layer(tmp_path, link):
    inside, outside = tmp_path / "layer", tmp_path / "host"
    outside.mkdir()
    (inside / link).parent.mkdir(parents=True)
    (inside / link).symlink_to(outside / "secret" if link.endswith("secret") else outside)
    with pytest.raises(OSError):
        layer.write(inside, FILES)
    assert list(outside.iterdir()) == []


def test_a_path_with_two_dots_is_refused(tmp_path):
    (tmp_path / "layer").mkdir()
    with pytest.raises(OSError):
        layer.write(tmp_path / "layer", [Entry("/../secret", 0o600, b"")])
    assert [one.name for one in tmp_path.iterdir()] == ["layer"]


@pytest.mark.usefixtures("root_user")
def test_only_a_plain_layer_of_this_machine_is_written_to(tmp_path):
    host = {"Driver": "overlay2", "SecurityOptions": ["name=apparmor", "name=seccomp,profile=default"]}
    assert layer.folder(inspected(tmp_path), host) == tmp_path
    assert layer.folder(inspected(tmp_path / "elsewhere"), host) is None
    assert layer.folder(inspected(tmp_path, Mounts=[{"Type": "volume"}]), host) is None
    assert layer.folder(inspected(tmp_path), {**host, "Driver": "btrfs"}) is None
    for rule in ("name=userns", "name=rootless", "name=selinux"):
        assert layer.folder(inspected(tmp_path), {**host, "SecurityOptions": [rule]}) is None


def test_only_root_may_write_to_a_layer(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert layer.folder(inspected(tmp_path), {"Driver": "overlay2"}) is None
