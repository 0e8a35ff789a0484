"""Which module may import which: the layers and the directions that ARCHITECTURE.md tells."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("codeservices", "repos", "builds")
# The only ones that know every app.
ABOVE_ALL = {"codeservices.settings", "codeservices.urls", "codeservices.asgi"}
# What is plain Python as a whole; elsewhere a module's own docstring and place tell its layer.
PLAIN = ("builds.buildspec", "builds.images", "builds.runner", "codeservices.iam.policy", "repos.git", "repos.text")
_IMPORT = re.compile(r"^ *(?:from ([\w.]+) import (\([^)]*\)|.+)|import ([\w.]+))", re.M)


@cache
def imports() -> dict[str, set[str]]:
    """What each module imports, at its top and inside its functions: modules of ours by their whole names."""
    texts = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if "migrations" not in path.parts:
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
                texts[name] = path.read_text()
    return {name: set(_imported(text, texts)) - {name} for name, text in texts.items()}


def _imported(text: str, modules: dict[str, str]) -> Iterator[str]:
    for found in _IMPORT.finditer(text):
        package, names, module = found.groups()
        if module:
            yield module
            continue
        for name in re.findall(r"^\W*(\w+)|,\s*(\w+)|\n\s*(\w+)", re.sub(r"#.*| as \w+", "", names)):
            whole = f"{package}.{''.join(name)}"
            yield whole if whole in modules else package


def _reached(module: str) -> set[str]:
    """Every module that comes along when one is imported."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        for one in imports().get(waiting.pop(), set()) - found:
            found.add(one)
            waiting.append(one)
    return found


def test_imports_are_read():
    assert {"codeservices.audit.acts", "codeservices.iam.policy"} <= imports()["codeservices.iam.authorize"]
    assert "repos.git.program" in _reached("repos.git_http.application")


@pytest.mark.parametrize(("package", "others"), [("codeservices", ("repos", "builds")), ("repos", ("builds",))])
def test_packages_import_one_way(package, others):
    back = {
        f"{name} imports {one}"
        for name, found in imports().items()
        if name.partition(".")[0] == package and name not in ABOVE_ALL
        for one in found
        if one.partition(".")[0] in others
    }
    assert not back


def test_plain_packages_know_no_django():
    names = [name for name in imports() if name.startswith(tuple(f"{one}." for one in PLAIN))]
    assert len(names) > 50
    assert not [name for name in names if any(one.partition(".")[0] == "django" for one in _reached(name))]


def test_no_modules_need_each_other():
    circles = {name for name in imports() if name in _reached(name)}
    assert not circles, f"each of these is needed by what it imports: {sorted(circles)}"
