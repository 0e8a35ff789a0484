"""Curated images: names, definitions, and a file system as a tar that is always the same."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import docker.errors
import pytest
from django.core.management import CommandError, call_command

from builds.images import catalogue, making
from builds.runner import engine


def test_aws_names_mean_the_standard_image_and_others_themselves():
    assert catalogue.resolve("aws/codebuild/standard:7.0") == "codeservices/standard"
    assert catalogue.resolve("python:3.12") == "python:3.12"


def test_a_definition_is_found_by_the_engine_s_name_alone():
    for image in ("codeservices/base", "codeservices/base:latest"):
        assert catalogue.definition_of(image) == catalogue.definitions()["base"]
    for image in ("base", "other/base", "codeservices/base:2", "codeservices/nothing"):
        assert catalogue.definition_of(image) is None


def test_each_image_says_what_it_holds_and_standard_holds_all_of_the_others():
    images = catalogue.definitions()
    assert [one.name for one in catalogue.curated()] == ["base", "go", "java", "node", "python", "standard"]
    assert images["base"].description == "Debian 12 with git, make and the usual tools"
    assert images["python"].description == "Debian 12 with Python 3.11"
    assert images["python"].runtimes == {"python": ("3.11",)}
    standard = images.pop("standard")
    del images["base"]
    for one in images.values():
        assert set(one.packages) <= set(standard.packages), one.name
        assert one.runtimes.items() <= standard.runtimes.items(), one.name
    assert set(standard.runtimes) <= set(catalogue.LABELS)


def test_an_image_over_base_is_made_anew_where_base_has_changed(monkeypatch):
    before = catalogue.definitions()["python"].digest
    monkeypatch.setattr(catalogue, "RECIPE", "another")
    assert catalogue.definitions()["python"].digest != before


def test_two_makers_of_an_image_go_one_after_the_other(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(making, "WAIT_SECONDS", 0.01)
    definition = catalogue.Definition("x", tmp_path)
    told, has_waited = threading.Event(), []

    def second() -> None:
        with making._alone(definition, lambda line: told.set()) as waited:
            has_waited.append(waited)

    with making._alone(definition, lambda line: None) as waited:
        assert not waited
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(60) and not has_waited
    thread.join(60)
    assert has_waited == [True]


def test_the_digest_changes_with_the_definition(tmp_path: Path):
    (tmp_path / "Dockerfile").write_text("FROM debian\n")
    (tmp_path / "packages.txt").write_text("git\n")
    definition = catalogue.Definition("base", tmp_path)
    before = definition.digest
    assert definition.digest == before and definition.packages == ("git",)
    (tmp_path / "packages.txt").write_text("git\nmake\n")
    assert definition.digest != before


def test_a_file_system_is_the_same_tar_whenever_and_wherever_it_was_made(tmp_path: Path):
    digests = set()
    for name, seconds in (("one", 1), ("two", 2_000_000_000)):
        root = tmp_path / name
        (root / "etc").mkdir(parents=True)
        (root / "var/log").mkdir(parents=True)
        (root / "var/log/dpkg.log").write_text(name)
        (root / "etc/b").write_text("b")
        (root / "etc/a").symlink_to("b")
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
            listener.bind(str(root / "etc/s"))
        os.utime(root / "etc/b", (seconds, seconds))
        packed = io.BytesIO()
        making._write_tar(root, packed)
        digests.add(hashlib.sha256(packed.getvalue()).hexdigest())
    assert len(digests) == 1


@pytest.mark.docker
def test_an_image_that_is_current_is_not_made_again(base_image: str):
    lines: list[str] = []
    with contextlib.closing(engine.connect()) as client:
        assert not making.build(client, catalogue.definitions()["base"], lines.append)
    assert lines == ["codeservices/base is up to date."]


@pytest.mark.docker
def test_the_command_makes_what_is_missing_and_counts(base_image: str, capsys):
    call_command("build_images", "base")
    assert capsys.readouterr().out.splitlines()[-1] == "Made 0 images, of 1 asked for."
    with pytest.raises(CommandError, match="No image is called nothing; there are base, go, java, "):
        call_command("build_images", "nothing")


def test_what_a_killed_maker_of_images_left_behind_is_cleared_and_a_living_ones_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with subprocess.Popen(["true"]) as ended:
        pass
    dead = tmp_path / f"{making.SCRATCH_PREFIX}{ended.pid}-x" / "root"
    alive = tmp_path / f"{making.SCRATCH_PREFIX}{os.getppid()}-x"
    dead.mkdir(parents=True)
    alive.mkdir()
    with making._scratch() as folder:
        assert folder.is_dir() and list(folder.iterdir()) == []
        assert not dead.parent.exists()
    assert list(tmp_path.iterdir()) == [alive]


class _Making(catalogue.Definition):
    """An image of a few bytes, which is made as often as it is asked for."""

    NAME = "codeservices-test/anew"

    @property
    def image(self) -> str:
        return self.NAME

    @property
    def parent(self) -> catalogue.Definition:
        return catalogue.definitions()["base"]


@pytest.mark.docker
def test_an_image_that_is_made_anew_takes_the_name_and_the_former_goes_after_its_last_container(
    base_image: str, tmp_path: Path
):
    (tmp_path / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nRUN date +%N > /made\n")
    definition = _Making("anew", tmp_path)
    with contextlib.closing(engine.connect()) as client:
        try:
            making.build(client, definition, lambda line: None)
            first = client.images.get(definition.image).id
            container = client.containers.create(first, ["true"])
            making.build(client, definition, lambda line: None, is_forced=True)
            second = client.images.get(definition.image).id
            assert first != second, "the engine's own cache gave the same again"
            assert client.images.get(first).tags == [f"{definition.image}:former-{first[7:19]}"]
            container.remove(force=True)
            assert not making.build(client, definition, lambda line: None)
            with pytest.raises(docker.errors.ImageNotFound):
                client.images.get(first)
            (tmp_path / "Dockerfile").write_text("FROM nowhere.invalid/nothing\n")
            with pytest.raises(making.ImageError):
                making.build(client, definition, lambda line: None)
            assert client.images.get(second).tags == [f"{definition.image}:latest"]
        finally:
            for tag in {tag for one in client.images.list(_Making.NAME) for tag in one.tags}:
                client.images.remove(tag, force=True)
