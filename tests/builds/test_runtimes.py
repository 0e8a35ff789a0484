"""A buildspec's runtime-versions against the image that a build runs in."""

from __future__ import annotations

import pytest

from builds.images import catalogue, runtimes
from builds.images.runtimes import RuntimeVersionError


def several(monkeypatch: pytest.MonkeyPatch) -> None:
    """The image codeservices/node with more versions than Debian has."""
    versions = {"nodejs": ("16", "18", "20"), "golang": ("1.9", "1.19", "1.20")}
    monkeypatch.setattr(catalogue.Definition, "runtimes", versions)


@pytest.mark.parametrize(
    ("runtime", "written", "selected"),
    [
        ("python", "3.11", "3.11"),
        ("python", "3.x", "3.11"),
        ("python", "latest", "3.11"),
        ("python", "$WANTED", "3.11"),
        ("python", "${WANTED}", "3.11"),
        ("python", "${MAJOR}.x", "3.11"),
        ("java", "corretto17", "17"),
        ("java", "openjdk17", "17"),
        ("java", "17", "17"),
        ("nodejs", "18", "18"),
        ("nodejs", "18.x", "18"),
    ],
)
def test_every_form_of_a_version_is_found(runtime: str, written: str, selected: str):
    notes = runtimes.select("aws/codebuild/standard:7.0", {runtime: written}, {"WANTED": "3.11", "MAJOR": "3"})
    assert notes == (f"Selecting '{runtime}' runtime version '{selected}' based on manual selections...",)


def test_of_several_versions_the_newest_that_fits_is_meant(monkeypatch):
    several(monkeypatch)
    wanted = {"nodejs": "latest", "golang": "1.x"}
    assert [note.split("'")[3] for note in runtimes.select("codeservices/node", wanted, {})] == ["20", "1.20"]
    with pytest.raises(RuntimeVersionError, match="has the following versions: 16, 18, 20$"):
        runtimes.select("codeservices/node", {"nodejs": "1.x"}, {})


def test_a_version_that_the_image_lacks_is_told_in_codebuild_s_words():
    with pytest.raises(RuntimeVersionError) as caught:
        runtimes.select("codeservices/standard", {"nodejs": "12", "python": "$MISSING", "java": "corretto8"}, {})
    assert str(caught.value) == (
        "Unknown runtime version named '12' of nodejs. This build image has the following versions: 18; "
        "Unknown runtime version named '$MISSING' of python. This build image has the following versions: 3.11; "
        "Unknown runtime version named 'corretto8' of java. This build image has the following versions: 17"
    )


def test_a_language_that_the_image_lacks_is_told_with_the_images_that_have_it():
    with pytest.raises(RuntimeVersionError) as caught:
        runtimes.select("codeservices/base", {"python": "3.11", "dotnet": "8.0"}, {})
    assert str(caught.value) == (
        "Unknown runtime named 'python'. This build image has the following runtimes: none; "
        "codeservices/python and codeservices/standard have it; "
        "Unknown runtime named 'dotnet'. This build image has the following runtimes: none"
    )


def test_one_s_own_image_selects_nothing_and_says_so():
    assert runtimes.select("python:3.12", {"python": "3.12"}, {}) == (runtimes.NOT_SUPPORTED,)
    assert runtimes.select("python:3.12", {}, {}) == ("No runtime version selected in buildspec.",)
