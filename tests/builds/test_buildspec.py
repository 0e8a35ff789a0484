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

FAULTS = """version: 0.3
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
    found = problems(FAULTS)
    assert [one.partition(": ")[0] for one in found] == [
        "line 1, version",
        "line 3, env.shell",
        "line 5, env.variables.CODEBUILD_X",
        "line 6, env.variables.LIST",
        "line 10, phases.build.commands[0]",
        "line 11, phases.build.commands[1]",
        "line 12, phases.build.on-failure",
        "line 13, phases.biuld",
        "line 15, phases.post_build",
        "line 17, artifacts",
        "line 18, artifacts.discard-paths",
        "line 20, cache.action",
        "line 21, cache",
    ]
    assert found[0] == "line 1, version: must be 0.1 or 0.2, but it is “0.3”."
    assert "found subkeys instead at line 10, value of the key tag on line 9 might be empty" in found[4]
    assert found[-1] == "line 21, cache: stands twice; it is on line 19 already."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The file is empty."),
        ("# nothing\n", "The file is empty."),
        ("- a\n", "The file must be a map"),
        ("version: 0.2\n", "phases is missing"),
        ("version: 0.2\nphases:\n", "phases: is empty"),
        ("version: 0.2\nphases: []\n", "wrong number of container tags, expected 1: phases must be a map"),
        ("phases: {build: {commands: [make]}}\n", "version is missing"),
        ("version: 0.2\nphases: {build: {commands: make}}\n", "must be a list, but it is “make”."),
        ("version: 0.2\nphases: {build: {commands: }}\n", "is empty: it must be a list of commands"),
        ("version: 0.2\nphases:\n\tbuild:\n", "cannot start any token at line 3"),
        ("version: 0.2\nenv: a: b\n", "mapping values are not allowed in this context at line 2"),
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


BUILD = "phases: {build: {commands: [make]}}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 0.2\nphases:\n\tbuild:\n", "found character that cannot start any token at line 3"),
        ("a: b: c\n", "mapping values are not allowed in this context at line 1"),
        ("version: 0.2\nphases: {build: {commands: [a}}\n", "did not find expected ',' or ']' at line 2"),
        (
            "version: 0.2\nphases:\n  build:\n    commands:\n      - echo a: b\n",
            "Expected Commands[0] to be of string type: found subkeys instead at line 5, value of the key tag on line "
            "4 might be empty. Put the command in quotes where it holds a colon and a blank.",
        ),
        (
            f"version: 0.2\nenv: text\n{BUILD}",
            "wrong number of container tags, expected 1: env must be a map, but it is “text”.",
        ),
        (
            "version: 0.2\nphases: [build]\n",
            "wrong number of container tags, expected 1: phases must be a map, but it is a list.",
        ),
    ],
)
def test_a_lone_fault_that_codebuild_has_words_for_is_told_in_them(text: str, message: str):
    with pytest.raises(BuildspecError) as caught:
        buildspec.parse(text)
    assert caught.value.context("buildspec.yml") == message


def test_other_faults_are_told_with_the_file_s_name_line_and_key():
    with pytest.raises(BuildspecError) as caught:
        buildspec.parse("version: 0.2\nenv: text\nphases: {build: {commands: make}}\n")
    assert caught.value.context("ci/build.yml") == (
        "ci/build.yml: line 2, env: wrong number of container tags, expected 1: env must be a map, but it is “text”.; "
        "line 3, phases.build.commands: must be a list, but it is “make”."
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ABORT", OnFailure("ABORT")),
        ("CONTINUE", OnFailure("CONTINUE")),
        ("RETRY", OnFailure("RETRY", 3)),
        ("RETRY-0", OnFailure("RETRY", 0)),
        ("RETRY-100", OnFailure("RETRY", 100)),
        ("RETRY-time.*out", OnFailure("RETRY", 3, "time.*out")),
        ("RETRY-7-5[0-9]{2} Bad", OnFailure("RETRY", 7, "5[0-9]{2} Bad")),
    ],
)
def test_every_form_of_on_failure(value: str, expected: OnFailure):
    spec = buildspec.parse(f"version: 0.2\nphases: {{build: {{commands: [a], on-failure: '{value}'}}}}\n")
    assert spec.phases["build"].on_failure == expected


@pytest.mark.parametrize(
    "value", ["abort", "RETRY-", "RETRY-101", "RETRY-1-(", "RETRY-" + "a?" * 501, "RETRY-a{99999999999}"]
)
def test_other_forms_of_on_failure_are_refused(value: str):
    found = problems(f"version: 0.2\nphases: {{build: {{commands: [a], on-failure: '{value}'}}}}\n")
    assert len(found) == 1 and found[0].startswith("line 2, phases.build.on-failure: ")


def test_a_key_that_is_none_is_warned_of_and_changes_nothing():
    spec = buildspec.parse(
        "version: 0.2\nphase: {}\nanchors: {}\nphases:\n  build:\n    commands: [a]\n    runas: ada\n"
        "artifacts: {files: [a], discard-path: yes}\nenvironment_variables: {}\n"
    )
    assert [str(one) for one in spec.warnings] == [
        "line 2, phase: is no known key and is ignored. Did you mean phases?",
        "line 7, phases.build.runas: is no known key and is ignored. Did you mean run-as?",
        "line 8, artifacts.discard-path: is no known key and is ignored. Did you mean discard-paths?",
        "line 9, environment_variables: is ignored in version 0.2, which has env instead.",
    ]


def test_proxy_and_single_patterns_are_read():
    spec = buildspec.parse(f"version: 0.2\nproxy: {{logs: yes}}\nartifacts: {{files: '**/*'}}\n{BUILD}")
    assert spec.proxy.logs and not spec.proxy.upload_artifacts
    assert spec.artifacts is not None and spec.artifacts.files == ("**/*",)


def test_a_batch_is_read_as_graph_list_matrix_and_fan_out():
    graph = buildspec.parse(
        f"""version: 0.2
batch:
  fast-fail: true
  build-graph:
    - identifier: one
      env: {{compute-type: BUILD_GENERAL1_LARGE, privileged-mode: yes, variables: {{A: 1}}}}
    - identifier: two
      buildspec: ci/two.yml
      depend-on: [one]
      ignore-failure: true
{BUILD}"""
    ).batch
    assert graph is not None and graph.kind == "build-graph" and graph.fast_fail
    one, two = graph.builds
    assert one.environment == {"compute-type": "BUILD_GENERAL1_LARGE", "privileged-mode": "true"}
    assert one.variables == {"A": "1"} and two.depends_on == ("one",) and two.ignore_failure
    matrix = buildspec.parse(
        f"version: 0.2\nbatch: {{build-matrix: {{static: {{ignore-failure: yes, env: {{type: LINUX_CONTAINER}}}}, "
        f"dynamic: {{buildspec: [a.yml], env: {{image: [x, y], variables: {{V: [1, 2]}}}}}}}}}}\n{BUILD}"
    ).batch
    assert matrix is not None and matrix.matrix.images == ("x", "y") and matrix.matrix.variables == {"V": ("1", "2")}
    assert matrix.matrix.environment == {"type": "LINUX_CONTAINER"} and matrix.matrix.ignore_failure
    fanout = buildspec.parse(f"version: 0.2\nbatch: {{build-fanout: {{parallelism: 5}}}}\n{BUILD}").batch
    assert fanout is not None and fanout.parallelism == 5


def test_faults_of_a_batch_are_told():
    graph = (
        "batch: {build-graph: [{identifier: a, depend-on: [b, x]}, {identifier: b, depend-on: [a]}, {buildspec: c}]}\n"
    )
    assert problems(f"version: 0.2\n{graph}{BUILD}") == [
        "line 2, batch.build-graph[0].depend-on: the builds a, b wait for each other.",
        "line 2, batch.build-graph[0].depend-on: “x” is no identifier of this graph.",
        "line 2, batch.build-graph[2]: has no identifier.",
    ]


def test_of_very_many_faults_the_first_are_told_and_the_others_counted():
    lines = "".join(f"    V{number}: [1]\n" for number in range(500))
    found = problems(f"version: 0.2\nenv:\n  variables:\n{lines}{BUILD}")
    assert len(found) == 101 and found[-1] == "line 104: 400 more problems from here on."


def test_characters_that_no_file_may_hold_are_told():
    assert problems("version: 0.2\nrun-as: \ud800\n")[0].startswith("The file is no YAML")
    assert "holds a NUL character" in problems(f'version: 0.2\nenv: {{variables: {{A: "\\0"}}}}\n{BUILD}')[0]
    assert "must be the name of a user" in problems(f'version: 0.2\nrun-as: "a\\nRUN x"\n{BUILD}')[0]
    assert "more than one YAML document" in problems(f"version: 0.2\n{BUILD}---\na: b\n")[0]
