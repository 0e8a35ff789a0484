"""The schema for editors says the same as the parser: both judge the same texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
import yaml
from django.conf import settings

from builds import buildspec
from builds.buildspec.model import REPORT_FORMATS
from tests.builds.test_buildspec import FAULTS, WHOLE

SCHEMA: dict[str, Any] = json.loads((Path(settings.BASE_DIR) / "static/schema/buildspec.json").read_text())
VALIDATE = fastjsonschema.compile(SCHEMA)
BUILD = "phases: {build: {commands: [make]}}\n"

# Lines put before or into an honest file, with what both make of them.
GOOD = [
    BUILD,
    "phases: {install: }\n",
    "phases: {install: {runtime-versions: {python: 3.x, nodejs: 18}}, build: {commands: [make, 42, yes]}}\n",
    "phases: {build: {commands: []}}\n",
    "phases: {build: {commands: [a], finally: , on-failure: , run-as: ada}}\n",
    "phases: {build: {commands: [a], on-failure: RETRY-100-time out-2}}\n",
    "phases: {build: {commands: [a], on-failure: RETRY-5}}\n",
    "phases: {build: {commands: [a], on-failure: RETRY-x}}\n",
    f"run-as: build$\nproxy: {{logs: yes}}\nmy-anchors: [1]\n{BUILD}",
    f"env: {{shell: /bin/bash, variables: }}\n{BUILD}",
    f"env: {{variables: {{A: 1, B: yes, C: , d.e: x}}, exported-variables: [A, B]}}\n{BUILD}",
    f"env: {{parameter-store: {{A: /a/b}}, secrets-manager: {{B: 'id:key:AWSPREVIOUS', C: 'a:::v', D: id}}}}\n{BUILD}",
    f"env: {{secrets-manager: {{A: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:x-1:key'}}}}\n{BUILD}",
    f"env: {{secrets-manager: {{A: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:x-1:key::id'}}}}\n{BUILD}",
    f"environment_variables: [ignored in 0.2]\n{BUILD}",
    f"artifacts: \ncache: \nreports: \nbatch: \nproxy: \n{BUILD}",
    f"artifacts: {{files: '**/*', exclude-paths: [a, b], discard-paths: , type: zip}}\n{BUILD}",
    f"artifacts: {{files: [a], secondary-artifacts: {{one: {{files: [b], enable-symlinks: true}}}}}}\n{BUILD}",
    f"cache: {{paths: [a], key: k, fallback-keys: [a, b, c, d, e], action: restore}}\n{BUILD}",
    f"reports: {{unit: {{files: [a], file-format: Junitxml}}, other: {{files: b}}}}\n{BUILD}",
    f"batch: {{fast-fail: no, build-list: [{{identifier: a, env: {{image: x, variables: {{A: 1}}}}}}]}}\n{BUILD}",
    f"batch: {{build-graph: [{{identifier: a}}, {{identifier: b_2, depend-on: [a], ignore-failure: yes}}]}}\n{BUILD}",
    f"batch: {{build-matrix: {{dynamic: {{env: {{image: a, variables: {{V: [1]}}}}}}}}}}\n{BUILD}",
    f"batch: {{build-fanout: {{parallelism: 5}}}}\n{BUILD}",
]
BAD = [
    "",
    "phases: \n",
    "phases: {}\n",
    "phases: []\n",
    "phases: {test: {commands: [a]}}\n",
    "phases: {build: }\n",
    "phases: {build: {finally: [a]}}\n",
    "phases: {build: {commands: make}}\n",
    "phases: {build: {commands: [{a: b}]}}\n",
    "phases: {build: {commands: [[a]]}}\n",
    "phases: {build: {commands: [a, ]}, install: {commands: [~]}}\n",
    "phases: {build: {commands: [a], on-failure: STOP}}\n",
    "phases: {build: {commands: [a], on-failure: RETRY-101}}\n",
    "phases: {build: {commands: [a], run-as: 'a b'}}\n",
    "phases: {install: {runtime-versions: [python]}}\n",
    f"run-as: [a]\n{BUILD}",
    f"env: \n{BUILD}",
    f"env: {{}}\n{BUILD}",
    f"env: [a]\n{BUILD}",
    f"env: {{shell: fish}}\n{BUILD}",
    f"env: {{variables: {{CODEBUILD_A: 1}}}}\n{BUILD}",
    f"env: {{variables: {{A=B: 1}}}}\n{BUILD}",
    f"env: {{variables: {{A: [1]}}}}\n{BUILD}",
    f"env: {{parameter-store: {{A: }}}}\n{BUILD}",
    f"env: {{secrets-manager: {{A: 'id:key:stage:version'}}}}\n{BUILD}",
    f"env: {{secrets-manager: {{A: 'id:key:stage::more'}}}}\n{BUILD}",
    f"env: {{secrets-manager: {{A: ':key'}}}}\n{BUILD}",
    f"env: {{secrets-manager: {{A: 'arn:aws:secretsmanager:us-east-1:1:secret'}}}}\n{BUILD}",
    f"env: {{exported-variables: A}}\n{BUILD}",
    f"env: {{exported-variables: [[A]]}}\n{BUILD}",
    f"env: {{git-credential-helper: maybe}}\n{BUILD}",
    f"proxy: {{logs: 2}}\n{BUILD}",
    f"artifacts: {{discard-paths: yes}}\n{BUILD}",
    f"artifacts: {{files: []}}\n{BUILD}",
    f"artifacts: {{files: [a], name: [b]}}\n{BUILD}",
    f"artifacts: {{files: [a], secondary-artifacts: {{one: {{}}}}}}\n{BUILD}",
    f"artifacts: [a]\n{BUILD}",
    f"cache: {{paths: {{a: b}}}}\n{BUILD}",
    f"cache: {{action: keep}}\n{BUILD}",
    f"cache: {{key: k, fallback-keys: [a, b, c, d, e, f]}}\n{BUILD}",
    f"reports: {{unit: {{file-format: JUNITXML}}}}\n{BUILD}",
    f"reports: {{unit: {{files: [a], file-format: XML}}}}\n{BUILD}",
    f"reports: {{{', '.join(f'r{n}: {{files: [a]}}' for n in range(6))}}}\n{BUILD}",
    f"batch: {{}}\n{BUILD}",
    f"batch: {{build-list: [{{identifier: a}}], build-fanout: {{parallelism: 2}}}}\n{BUILD}",
    f"batch: {{build-list: []}}\n{BUILD}",
    f"batch: {{build-list: [{{buildspec: a}}]}}\n{BUILD}",
    f"batch: {{build-list: [{{identifier: a-b}}]}}\n{BUILD}",
    f"batch: {{build-fanout: {{parallelism: 0}}}}\n{BUILD}",
    f"batch: {{build-fanout: {{ignore-failure: yes}}}}\n{BUILD}",
    f"batch: {{build-matrix: {{dynamic: {{env: {{variables: {{CODEBUILD_A: [1]}}}}}}}}}}\n{BUILD}",
]
# What takes more than shapes: regular expressions, names that other places give, references among builds.
BEYOND = [
    "phases: {build: {commands: [a], on-failure: RETRY-2-(}}\n",
    f"batch: {{build-list: [{{identifier: a}}, {{identifier: a}}]}}\n{BUILD}",
    f"batch: {{build-graph: [{{identifier: a, depend-on: [b]}}]}}\n{BUILD}",
    f"batch: {{build-graph: [{{identifier: a, depend-on: [b]}}, {{identifier: b, depend-on: [a]}}]}}\n{BUILD}",
]


def parser_takes(text: str) -> bool:
    try:
        buildspec.parse(text)
    except buildspec.BuildspecError:
        return False
    return True


def schema_takes(text: str) -> bool:
    try:
        VALIDATE(yaml.safe_load(text))
    except fastjsonschema.JsonSchemaException:
        return False
    return True


@pytest.mark.parametrize("number", range(len(GOOD)))
def test_both_take_what_is_right(number: int):
    text = f"version: 0.2\n{GOOD[number]}"
    assert (parser_takes(text), schema_takes(text)) == (True, True), text


@pytest.mark.parametrize("number", range(len(BAD)))
def test_both_refuse_what_is_wrong(number: int):
    text = f"version: 0.2\n{BAD[number]}"
    assert (parser_takes(text), schema_takes(text)) == (False, False), text


def test_references_and_expressions_are_the_parser_s_alone():
    for text in BEYOND:
        assert (parser_takes(f"version: 0.2\n{text}"), schema_takes(f"version: 0.2\n{text}")) == (False, True), text


def test_both_know_the_two_versions_and_their_blocks():
    old = f"environment_variables: {{plaintext: {{A: 1}}}}\nenv: [ignored in 0.1]\n{BUILD}"
    for text, is_right in (
        (WHOLE, True),
        (f"version: 0.1\n{old}", True),
        (f'version: "0.1"\n{old}', True),
        (f"version: 0.1\nenvironment_variables: {{plaintext: {{CODEBUILD_A: 1}}}}\n{BUILD}", False),
        (f"version: 0.1\nenvironment_variables: [A]\n{BUILD}", False),
        (f"version: 0.3\n{BUILD}", False),
        (BUILD, False),
    ):
        assert (parser_takes(text), schema_takes(text)) == (is_right, is_right), text


def test_no_file_with_faults_of_the_other_tests_passes_the_schema():
    assert not schema_takes(FAULTS.replace("echo a: b", "'echo'"))


def test_the_schema_names_every_report_format_and_every_property_that_it_describes_has_words():
    described = SCHEMA["properties"]["reports"]["additionalProperties"]["properties"]["file-format"]["description"]
    assert all(name in described for name in REPORT_FORMATS)
    assert all("description" in one for one in SCHEMA["properties"].values())


def test_the_schema_is_public_under_an_address_that_stays(client):
    answer = client.get("/static/schema/buildspec.json")
    assert answer.status_code == 200 and answer["Content-Type"].startswith("application/json")
    assert json.loads(answer.content) == SCHEMA
