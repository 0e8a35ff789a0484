"""`make lint`, `make test`, `make test-faults`, `make bench`, each with all its set-up."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy import engine, failures, packages, places, postgres, say, venv

# Where a network inspects TLS, builds in tests need its CA too.
_KEPT = "CODESERVICES_BUILD_CA_BUNDLE"
_TYPED = ("codeservices", "repos", "builds", "deploy")


def _call(argv: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> int:
    say.line(f"$ {' '.join(str(part).replace(f'{places.VENV}/bin/', '') for part in argv)}")
    start = time.monotonic()
    code = subprocess.run(argv, cwd=places.ROOT, env=environment or places.child_environment(), check=False).returncode
    say.line(f"  exit {code} after {time.monotonic() - start:.0f} s")
    return code


def lint() -> int:
    """ruff and mypy; all of them run, the worst exit code counts."""
    venv.ensure(dev=True)
    python = str(places.PYTHON)
    with tempfile.TemporaryDirectory(prefix="codeservices-lint-") as state:  # settings make keys where they find none
        environment = {**places.child_environment(), "CODESERVICES_VAR": state}
        return max(
            _call([python, "-m", "ruff", "check", "."], environment),
            _call([python, "-m", "ruff", "format", "--check", "."], environment),
            _call([python, "-m", "mypy", *_TYPED], environment),
        )


def _prepare() -> None:
    places.prepare()
    packages.ensure(packages.TO_TEST)
    venv.ensure(dev=True)
    say.line(f"==> Docker Engine {engine.ensure()} answers")


def _environment(state: str) -> dict[str, str]:
    """For tests: state of their own, and none of this machine's settings."""
    kept = {
        name: value
        for name, value in places.child_environment().items()
        if name == _KEPT or not (name.startswith("CODESERVICES_") or name in {"DATABASE_URL", "REDIS_URL"})
    }
    return {**kept, "CODESERVICES_VAR": state}


def _make_image(environment: Mapping[str, str]) -> None:
    with say.step("Build image: base"):
        say.run(
            [places.PYTHON, "manage.py", "build_images", "base"],
            log=places.logs_root() / "install.log",
            env=environment,
            cwd=places.ROOT,
            failure="The base image could not be made; the reason stands above.",
        )


# One process more than processors: the one that has the tests of containers mostly waits for Docker Engine. A file's
# tests, and those that use the machine as a whole, stay together (tests/groups.py).
_PROCESSES = str(len(os.sched_getaffinity(0)) + 1)
_PYTEST = ("-m", "pytest", "-n", _PROCESSES, "-p", "tests.groups")


def test() -> int:
    """Every test on SQLite, then those again on PostgreSQL that could differ there."""
    _prepare()
    python = str(places.PYTHON)
    with tempfile.TemporaryDirectory(prefix="codeservices-test-") as state:
        environment = _environment(state)
        _make_image(environment)
        sqlite, postgresql = Path(state, "sqlite.xml"), Path(state, "postgresql.xml")
        wanted = ("-m", "not faults", "--durations", "10", "--junitxml", sqlite)
        on_sqlite = _call([python, *_PYTEST, *wanted], environment)
        with postgres.server() as url:
            say.line("==> Again on PostgreSQL: the tests that could differ there")
            wanted = ("-m", "not faults and not browser", "-p", "tests.database_only", "--junitxml", postgresql)
            on_postgres = _call([python, *_PYTEST, *wanted], {**environment, "DATABASE_URL": url})
        failures.repeat("on SQLite", sqlite)
        failures.repeat("on PostgreSQL", postgresql)
        return max(on_sqlite, on_postgres)


def test_faults() -> int:
    """The long kill, escape and load tests."""
    _prepare()
    with tempfile.TemporaryDirectory(prefix="codeservices-test-") as state:
        environment = _environment(state)
        _make_image(environment)
        return _call([places.PYTHON, "-m", "pytest", "-m", "faults"], environment)


def bench() -> int:
    """The measurements under bench/."""
    _prepare()
    scripts = sorted((places.ROOT / "bench").glob("bench_*.py"))
    if not scripts:
        raise say.Refusal("There is nothing to measure yet: bench/ has no bench_*.py.")
    return max(_call([places.PYTHON, script]) for script in scripts)
