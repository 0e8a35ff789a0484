"""Buildspecs as people write them, and every fault with its line and key."""

from __future__ import annotations

import pytest

from builds import buildspec
from builds.buildspec import BuildspecError, OnFailure

WHOLE = """version: 0.2
run-as: builder
env:
  shell: bash
  variables:
    RELEASE: 1.10
    DEBUG: yes
    EMPTY:
  parameter-store: {TOKEN: /app/token}
  secrets-manager: {KEY: prod/key:json}
  exported-variables: [RELEASE]
  git-credential-helper: yes
proxy: {upload-artifacts: no, logs: no}
phases:
  install:
    runtime-versions: {python: 3.x}
  pre_build:
    commands: &setup
      - echo one
  build:
    run-as: root
    on-failure: RETRY-5-timed out
    commands:
      - |
        if true; then
          echo two
        fi
      - 42
    finally: *setup
reports:
  unit:
    files: ["**/*.xml"]
    file-format: junitxml
artifacts:
  files: [target/app.jar]
  name: app-$(date +%Y)
  discard-paths: yes
  base-directory: out*
  exclude-paths: "**/*.tmp"
  secondary-artifacts:
    docs: {files: [docs/**/*], enable-symlinks: true}
cache:
  paths: [/root/.m2/**/*]
  key: k
  fallback-keys: [a, b]
  action: save
unknown-key: ignored
"""


def problems(text: str) -> list[str]:
    with pytest.raises(BuildspecError) as caught:
        buildspec.parse(text)
    return [str(problem) for problem in caught.value.problems]


def test_every_key_of_version_02_is_read():
    spec = buildspec.parse(WHOLE)
    assert (spec.version, spec.shell, spec.run_as, spec.user("build"), spec.user("pre_build")) == (
        "0.2",
        "bash",
        "builder",
        "root",
        "builder",
    )
    assert spec.variables == {"RELEASE": "1.10", "DEBUG": "yes", "EMPTY": ""}
    assert (spec.parameter_store, spec.secrets_manager) == ({"TOKEN": "/app/token"}, {"KEY": "prod/key:json"})
    assert spec.exported_variables == ("RELEASE",) and spec.has_git_credential_helper
    assert spec.runtime_versions == {"python": "3.x"}
    build = spec.phases["build"]
    assert build.commands == ("if true; then\n  echo two\nfi\n", "42")
    assert build.finally_commands == ("echo one",) and build.on_failure == OnFailure("RETRY", 5, "timed out")
    assert not spec.phases["post_build"].is_present and spec.phases["install"].commands == ()
    assert spec.artifacts is not None and spec.artifacts.exclude_paths == ("**/*.tmp",)
    assert spec.artifacts.discard_paths and spec.artifacts.base_directory == "out*"
    assert spec.secondary_artifacts["docs"].enable_symlinks
    assert spec.reports["unit"].file_format == "JUNITXML"
    assert spec.cache is not None and spec.cache.fallback_keys == ("a", "b")


def test_the_2017_form_of_version_01_is_read():
    spec = buildspec.parse(
        """version: 0.1
environment_variables:
  plaintext:
    JAVA_HOME: "/usr/lib/jvm/java-8-openjdk-amd64"
env: {variables: {IGNORED: 1}}
phases:
  install:
    commands: [apt-get update -y]
  build:
    commands: [mvn package]
artifacts:
  type: zip
  files: [target/app.jar]
  discard-paths: yes
"""
    )
    assert spec.version == "0.1" and spec.variables == {"JAVA_HOME": "/usr/lib/jvm/java-8-openjdk-amd64"}
    assert spec.phases["build"].commands == ("mvn package",)


def test_the_old_name_of_variables_is_ignored_in_version_02():
    text = "version: 0.2\nenvironment_variables: {plaintext: {A: 1}}\nphases: {build: {commands: [make]}}\n"
    assert buildspec.parse(text).variables == {}


def test_merge_keys_and_anchors_work():
    spec = buildspec.parse(
        "version: 0.2\nbase: &base {A: 1, B: 1}\nenv: {variables: {<<: *base, B: 2}}\n"
        "phases: {build: {commands: [make]}}\n"
    )
    assert spec.variables == {"A": "1", "B": "2"}


def test_ten_faults_are_told_at_once_each_with_line_and_key():
    found = problems(
        """version: 0.3
env:
  shell: fish
  variables:
    CODEBUILD_X: 1
    LIST: [1]
phases:
  build:
    commands:
      - echo a: b
      -
    on-failure: MAYBE
  biuld:
    commands: [make]
  post_build:
    finally: [echo]
artifacts:
  discard-paths: perhaps
cache:
  action: keep
cache: {}
"""
    )
    assert [one.partition(": ")[0] for one in found] == [
        "line 1, version",
        "line 3, env.shell",
        "line 5, env.variables.CODEBUILD_X",
        "line 6, env.variables.LIST",
        "line 10, phases.build.commands[0]",
        "line 11, phases.build.commands[1]",
        "line 12, phases.build.on-failure",
        "line 14, phases.biuld",
        "line 16, phases.post_build",
        "line 18, artifacts",
        "line 18, artifacts.discard-paths",
        "line 20, cache.action",
        "line 21, cache",
    ]
    assert found[0] == "line 1, version: must be 0.1 or 0.2, but it is “0.3”."
    assert "found subkeys instead at line 10, value of the key tag on line 9 might be empty" in found[4]
    assert found[-1] == "line 21, cache: stands twice; it is on line 20 already."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The file is empty."),
        ("# nothing\n", "The file is empty."),
        ("- a\n", "The file must be a map"),
        ("version: 0.2\n", "phases is missing"),
        ("version: 0.2\nphases:\n", "phases: is empty"),
        ("version: 0.2\nphases: []\n", "phases: must be a map, but it is a list."),
        ("phases: {build: {commands: [make]}}\n", "version is missing"),
        ("version: 0.2\nphases: {build: {commands: make}}\n", "must be a list, but it is “make”."),
        ("version: 0.2\nphases: {build: {commands: }}\n", "is empty: it must be a list of commands"),
        ("version: 0.2\nphases:\n\tbuild:\n", "cannot start any token at line 3"),
        ("version: 0.2\nenv: a: b\n", "mapping values are not allowed here at line 2"),
        ("version: 0.2\nphases: [build\n", "at line 3"),
        ("version: 0.2\x00\n", "The file is no YAML"),
        ("version: 0.2\nenv:\n  shell: powershell.exe\nphases: {build: {commands: [a]}}\n", "a shell of Windows"),
        ("version: 0.2\nartifacts: {files: []}\nphases: {build: {commands: [a]}}\n", "artifacts.files: is empty"),
        ("version: 0.2\nphases: {build: {commands: [a], on-failure: 'RETRY-2-('}}\n", "is no regular expression"),
    ],
)
def test_a_fault_is_a_sentence(text: str, sentence: str):
    assert sentence in "; ".join(problems(text))


def test_bombs_are_refused_quickly():
    nested = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    text = f"version: 0.2\n{nested}phases: {{build: {{commands: *a39}}}}\n"
    assert len(problems(text)) < 10
    merged = "m0: &m0 {a: 1}\n" + "".join(f"m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}]}}\n" for n in range(1, 40))
    assert "each use of an alias counts" in "".join(
        problems(f"version: 0.2\n{merged}env: {{variables: *m39}}\nphases: {{build: {{commands: [make]}}}}\n")
    )
    assert "nesting is deeper" in problems("[" * 100_000)[0]
    assert "larger than 4 MiB" in problems("#" * (5 * 2**20))[0]
    assert problems("version: 0.2\nenv: &e {variables: {<<: *e}}\nphases: {build: {commands: [make]}}\n")


def test_no_tag_makes_an_object():
    spec = buildspec.parse("version: 0.2\nphases: {build: {commands: [!!python/object/apply:os.system 'id']}}\n")
    assert spec.phases["build"].commands == ("id",)


@pytest.mark.parametrize(
    ("value", "is_inline"),
    [("buildspec.yml", False), ("ci/build.yml", False), ("version: 0.2", True), ("# x\nversion: 0.2\n", True)],
)
def test_inline_text_is_told_from_a_path(value: str, is_inline: bool):
    assert buildspec.looks_inline(value) is is_inline
