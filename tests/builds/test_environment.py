"""Which variables a build sees."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from builds import buildspec, environment
from builds.environment import Facts, SourceFacts, Variable

SPEC = buildspec.parse(
    "version: 0.2\nenv: {variables: {A: spec, B: spec, C: spec}, parameter-store: {TOKEN: /token}}\n"
    "phases: {build: {commands: [make]}}\n"
)
FACTS = Facts(
    region="us-east-1",
    build_arn="arn:aws:codebuild:us-east-1:1:build/demo:u",
    build_id="demo:u",
    image="codeservices/base",
    number=7,
    initiator="alice",
    kms_key_id="key",
    log_path="u",
    project_arn="arn:aws:codebuild:us-east-1:1:project/demo",
    source_directory="/codebuild/output/src/demo",
    started_at=datetime(2024, 1, 1, tzinfo=UTC),
    source_repo_url="https://localhost/v1/repos/demo",
    source_version="main",
    resolved_source_version="a" * 40,
)


def test_start_build_beats_the_project_which_beats_the_buildspec():
    merged = environment.merge(SPEC, [Variable("B", "project"), Variable("C", "project")], [Variable("C", "start")])
    resolved = environment.resolve(merged, {"TOKEN": "s3cr3t-value"}, FACTS)
    assert [resolved.variables[name] for name in "ABC"] == ["spec", "project", "start"]


def test_codebuild_s_own_variables_have_their_values_and_can_not_be_replaced():
    resolved = environment.resolve({"HOME": Variable("HOME", "/elsewhere")}, {}, FACTS)
    wanted = {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "CODEBUILD_BUILD_ID": "demo:u",
        "CODEBUILD_BUILD_NUMBER": "7",
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_INITIATOR": "alice",
        "CODEBUILD_RESOLVED_SOURCE_VERSION": "a" * 40,
        "CODEBUILD_SOURCE_VERSION": "main",
        "CODEBUILD_SRC_DIR": "/codebuild/output/src/demo",
        "CODEBUILD_START_TIME": "1704067200000",
        "HOME": "/root",
    }
    assert {name: resolved.variables[name] for name in wanted} == wanted
    without = environment.own(replace(FACTS, resolved_source_version="", source_repo_url="", source_version=""))
    assert "CODEBUILD_RESOLVED_SOURCE_VERSION" not in without and "CODEBUILD_SOURCE_VERSION" not in without


def test_stored_values_and_access_key_ids_are_secret():
    merged = environment.merge(
        SPEC, [Variable("ID", "AKIAIOSFODNN7EXAMPLE"), Variable("SHORT", "x", "SECRETS_MANAGER")]
    )
    resolved = environment.resolve(merged, {"TOKEN": "s3cr3t-value", "SHORT": "x"}, FACTS)
    assert set(resolved.secrets) == {"s3cr3t-value", "AKIAIOSFODNN7EXAMPLE"}
    assert "s3cr3t" not in repr(resolved)


def test_a_name_that_no_shell_can_export_is_left_out_and_told():
    resolved = environment.resolve({"my.name": Variable("my.name", "1")}, {}, FACTS)
    assert resolved.left_out == ("my.name",) and "my.name" not in resolved.variables


def test_every_fault_of_variables_is_told_at_once():
    wrong = [
        Variable("CODEBUILD_X", "1"),
        Variable("A=B", "1"),
        Variable("TWICE", "1"),
        Variable("TWICE", "2"),
        Variable("KIND", "1", "OTHER"),
        Variable("NUL", "a\0"),
    ]
    with pytest.raises(environment.VariablesError) as caught:
        environment.check(wrong)
    assert len(caught.value.problems) == 5
    assert "CODEBUILD_X: names that start with CODEBUILD_ are reserved for CodeBuild." in caught.value.problems
    environment.check([Variable("A", "1"), Variable("B", "/name", "PARAMETER_STORE")])


def test_secrets_and_aws_names_may_not_be_exported():
    merged = environment.merge(SPEC)
    assert environment.may_export("A", merged) and environment.may_export("MADE_LATER", merged)
    assert not environment.may_export("TOKEN", merged) and not environment.may_export("AWS_SECRET", merged)
    assert not environment.may_export("a;b", merged)


def test_secondary_sources_have_variables_under_their_identifiers():
    secondary = {"tools": SourceFacts("/codebuild/output/src1/tools", "https://localhost/v1/repos/tools", "main")}
    facts = replace(FACTS, secondary_sources={**secondary, "empty": SourceFacts("/codebuild/output/src2")})
    own = environment.own(facts)
    assert own["CODEBUILD_SRC_DIR_tools"] == "/codebuild/output/src1/tools"
    assert own["CODEBUILD_SOURCE_REPO_URL_tools"] == "https://localhost/v1/repos/tools"
    assert own["CODEBUILD_SOURCE_VERSION_tools"] == "main"
    assert own["CODEBUILD_SRC_DIR_empty"] == "/codebuild/output/src2" and "CODEBUILD_SOURCE_VERSION_empty" not in own


def test_every_variable_that_codebuild_sets_is_there_with_a_value():
    own = environment.own(replace(FACTS, trigger="branch/main"))
    assert all(own.values()) and set(own) == {
        "CODEBUILD_BUILD_ARN",
        "CODEBUILD_BUILD_ID",
        "CODEBUILD_BUILD_IMAGE",
        "CODEBUILD_BUILD_NUMBER",
        "CODEBUILD_BUILD_SUCCEEDING",
        "CODEBUILD_CI",
        "CODEBUILD_INITIATOR",
        "CODEBUILD_KMS_KEY_ID",
        "CODEBUILD_LOG_PATH",
        "CODEBUILD_PROJECT_ARN",
        "CODEBUILD_RESOLVED_SOURCE_VERSION",
        "CODEBUILD_SOURCE_REPO_URL",
        "CODEBUILD_SOURCE_VERSION",
        "CODEBUILD_SRC_DIR",
        "CODEBUILD_START_TIME",
        "CODEBUILD_WEBHOOK_TRIGGER",
        "HOME",
    }


def test_values_are_literal_so_that_a_variable_in_them_is_not_expanded():
    spec = buildspec.parse("version: 0.2\nenv: {variables: {PATH: '$PATH:/x'}}\nphases: {build: {commands: [make]}}\n")
    assert environment.resolve(environment.merge(spec), {}, FACTS).variables["PATH"] == "$PATH:/x"
