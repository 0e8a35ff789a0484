"""What is installed, by whom, and the sentence where it can't be."""

from __future__ import annotations

from deploy import packages


def test_only_what_is_missing_is_asked_for():
    assert packages.missing(["git", "redis-server", "docker.io"], is_there={"git"}.__contains__) == [
        "redis-server",
        "docker.io",
    ]


def test_whoever_is_not_root_gets_the_exact_command():
    sentence = packages.refusal(["redis-server", "debootstrap"], is_root=False, has_apt=True)
    assert sentence == (
        "Needed and not found: redis-server, debootstrap."
        " Install them with: sudo apt-get update && sudo apt-get install -y redis-server debootstrap"
    )


def test_a_machine_without_apt_gets_the_names():
    sentence = packages.refusal(["git"], is_root=True, has_apt=False)
    assert sentence is not None
    assert sentence.startswith("Needed and not found: git. This machine has no apt-get")


def test_root_with_apt_is_not_refused():
    assert packages.refusal(["git"], is_root=True, has_apt=True) is None


def test_every_wanted_package_can_be_recognised():
    for package in {*packages.TO_RUN, *packages.TO_TEST, "docker.io"}:
        assert isinstance(packages.is_there(package), bool)
