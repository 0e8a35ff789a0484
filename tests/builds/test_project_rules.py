from __future__ import annotations

import pytest

from builds import compute, compute_types, lifecycle, projects
from builds.models import Project
from builds.project_rules import (
    InvalidProject,
    check_artifacts,
    check_cache,
    check_environment,
    check_secondary_artifacts,
)
from codeservices.errors import AccessDenied
from tests import factories

ENVIRONMENT = {"type": "LINUX_CONTAINER", "computeType": "BUILD_GENERAL1_SMALL"}


@pytest.mark.parametrize("image", ["", "-v", "--privileged", "a b", "a\n", "a/../../containers/b", "a?b=c", "$(id)"])
def test_an_image_is_a_name_and_neither_an_option_nor_a_way_elsewhere(image: str):
    with pytest.raises(InvalidProject):
        check_environment({**ENVIRONMENT, "image": image})


@pytest.mark.parametrize("name", ["CODEBUILD_SRC_DIR", "CODEBUILD_", "A=B", "A\0"])
def test_codebuild_s_own_variables_and_odd_names_can_not_be_set(name: str):
    variables = [{"name": name, "value": "x"}]
    with pytest.raises(InvalidProject):
        check_environment({**ENVIRONMENT, "image": "codeservices/base", "environmentVariables": variables})


@pytest.mark.django_db
def test_conditions_see_the_tags_of_a_request():
    document = factories.allow("codebuild:*", "iam:PassRole")
    tagging = {"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}, "StringEquals": {"aws:RequestTag/team": "blue"}}
    document["Statement"].append(
        {"Effect": "Deny", "Action": "codebuild:*Project", "Resource": "*", "Condition": tagging}
    )
    dora = factories.user("dora", document=document).principal
    project = factories.project("mine", repository_name=None)
    fields = {
        "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2"},
        "artifacts": project.artifacts,
        "environment": project.environment,
        "serviceRole": project.service_role_arn,
    }
    blue, red = ([{"key": "team", "value": value}] for value in ("blue", "red"))
    with pytest.raises(AccessDenied, match="codebuild:UpdateProject"):
        projects.update_project(dora, "mine", {"tags": blue})
    with pytest.raises(AccessDenied, match="codebuild:CreateProject"):
        projects.create_project(dora, {**fields, "name": "other", "tags": blue})
    projects.update_project(dora, "mine", {"tags": red})
    assert Project.objects.get().tags == red


S3 = {"type": "S3", "location": "results"}


@pytest.mark.parametrize(
    ("artifacts", "field", "words"),
    [
        ({"type": "CODEPIPELINE"}, "type", "Invalid type provided"),
        ({"type": "NO_ARTIFACTS", "location": "b"}, "location", "should have null location"),
        ({"type": "NO_ARTIFACTS", "encryptionDisabled": True}, "encryptionDisabled", "only for artifacts of type S3"),
        ({"type": "S3"}, "location", "location is required"),
        ({**S3, "location": "No_Bucket"}, "location", "is no bucket name"),
        ({**S3, "location": "192.0.2.1"}, "location", "is no bucket name"),
        ({**S3, "location": "two..dots"}, "location", "is no bucket name"),
        ({**S3, "packaging": "TAR"}, "packaging", "one of NONE, ZIP"),
        ({**S3, "namespaceType": "DATE"}, "namespaceType", "one of NONE, BUILD_ID"),
        ({**S3, "path": "a/../b"}, "path", "can't be a path"),
        ({**S3, "name": "a\nb"}, "name", "can't be a name"),
        ({**S3, "path": "p" * 513}, "path", "at most 512 characters"),
    ],
)
def test_artifacts_that_can_not_be_are_refused_in_words(artifacts: dict, field: str, words: str):
    with pytest.raises(InvalidProject, match=words) as refused:
        check_artifacts(artifacts)
    assert refused.value.field == f"artifacts.{field}"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([S3], "need an artifactIdentifier"),
        ([{**S3, "artifactIdentifier": "a-b"}], "“a-b” is no artifact identifier"),
        ([{**S3, "artifactIdentifier": "a"}] * 2, "two secondary artifacts are called a"),
        ([{**S3, "artifactIdentifier": f"a{number}"} for number in range(13)], "at most 12"),
        ([{"type": "CODEPIPELINE", "artifactIdentifier": "a"}], "Invalid type provided"),
    ],
    ids=["none", "dash", "twice", "13", "pipeline"],
)
def test_secondary_artifacts_have_identifiers_of_their_own(rows: list[dict], words: str):
    with pytest.raises(InvalidProject, match=words):
        check_secondary_artifacts(rows)
    good = [{**S3, "artifactIdentifier": f"a_{number}"} for number in range(12)]
    assert check_secondary_artifacts(good) == good


@pytest.mark.parametrize(
    ("cache", "field", "words"),
    [
        ({"type": "DISK"}, "type", "Invalid cache type: DISK"),
        ({"type": "S3"}, "location", "needs a location"),
        ({"type": "S3", "location": "b"}, "location", "no bucket with a prefix"),
        ({"type": "S3", "location": "bucket/../x"}, "location", "no bucket with a prefix"),
        ({"type": "S3", "location": "192.0.2.1/x"}, "location", "no bucket with a prefix"),
        ({"type": "S3", "location": "bucket/x", "cacheNamespace": "n" * 256}, "cacheNamespace", "at most 255"),
        ({"type": "LOCAL"}, "modes", "LOCAL needs a mode"),
        ({"type": "LOCAL", "modes": ["LOCAL_DISK"]}, "modes", "LOCAL_DISK is no cache mode"),
        ({"type": "LOCAL", "modes": ["LOCAL_DOCKER_LAYER_CACHE"]}, "modes", "is not available in this installation"),
    ],
)
def test_caches_that_can_not_be_are_refused_in_words(cache: dict, field: str, words: str):
    with pytest.raises(InvalidProject, match=words) as refused:
        check_cache(cache)
    assert refused.value.field == f"cache.{field}"


def test_members_that_a_cache_of_that_type_ignores_are_not_kept():
    everything = {"location": "bucket/x/", "modes": ["LOCAL_CUSTOM_CACHE"], "cacheNamespace": "n"}
    assert check_cache({"type": "NO_CACHE", **everything}) == {"type": "NO_CACHE"}
    assert check_cache({"type": "LOCAL", **everything}) == {"type": "LOCAL", "modes": ["LOCAL_CUSTOM_CACHE"]}
    assert check_cache({"type": "S3", **everything}) == {"type": "S3", "location": "bucket/x/", "cacheNamespace": "n"}
    assert check_cache({"type": "S3", "location": "bucket"}) == {"type": "S3", "location": "bucket"}


def environment(**members) -> dict:
    return check_environment({**ENVIRONMENT, "image": "registry.example.com/app:1", **members})


def test_privileged_mode_takes_a_setting_of_the_server(settings):
    with pytest.raises(InvalidProject, match="Privileged mode is off on this server") as caught:
        environment(privilegedMode=True)
    assert caught.value.field == "environment.privilegedMode" and "CODESERVICES_BUILD_PRIVILEGED" in caught.value.hint
    assert environment()["privilegedMode"] is False
    settings.BUILD_PRIVILEGED = True
    assert environment(privilegedMode=True)["privilegedMode"] is True


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("", "BUILD_GENERAL1_SMALL, BUILD_GENERAL1_MEDIUM, BUILD_GENERAL1_LARGE"),
        ("BUILD_LAMBDA_1GB", "of Lambda are not available here"),
        ("ATTRIBUTE_BASED_COMPUTE", "belongs to fleets"),
        ("build_general1_small", "CODESERVICES_COMPUTE_TYPES can name more"),
    ],
)
def test_a_compute_type_that_is_none_is_refused_with_those_there_are(name, hint):
    with pytest.raises(InvalidProject, match="Invalid compute type") as caught:
        environment(computeType=name)
    assert hint in caught.value.hint


def test_compute_types_are_settings(settings):
    assert compute.label_of("BUILD_GENERAL1_SMALL") == "Small: 3 GiB, 2 vCPU"
    assert compute.label_of("BUILD_GENERAL1_LARGE") == "Large: 15 GiB, 8 vCPU"
    settings.COMPUTE_TYPES = compute_types.with_others(["BUILD_GENERAL1_SMALL=4/2", "TINY=0.5/0.25"])
    assert compute.label_of("BUILD_GENERAL1_SMALL") == "Small: 4 GiB, 2 vCPU"
    assert environment(computeType="TINY")["computeType"] == "TINY"
    assert next(iter(compute.compute_types())) == "TINY"


@pytest.mark.parametrize("entry", ["SMALL", "SMALL=4", "SMALL=4/", "SMALL=0/2", "SMALL=4/0", "small=4/2", "SMALL=-4/2"])
def test_an_odd_compute_type_stops_the_start_by_name(entry):
    with pytest.raises(ValueError, match=f"“{entry}” is no compute type"):
        compute_types.with_others([entry])


def test_a_registry_credential_makes_the_role_the_one_who_pulls():
    credential = {"credential": "docker/ada", "credentialProvider": "SECRETS_MANAGER"}
    assert environment(registryCredential=credential)["imagePullCredentialsType"] == "SERVICE_ROLE"
    assert environment()["imagePullCredentialsType"] == "CODEBUILD"
    for members, sentence in (
        ({"imagePullCredentialsType": "CODEBUILD", "registryCredential": credential}, "takes imagePullCredentialsType"),
        ({"imagePullCredentialsType": "ODD"}, "Invalid image pull credentials type: ODD"),
        ({"image": "codeservices/base", "registryCredential": credential}, "a curated image is not pulled"),
        ({"image": "aws/codebuild/standard:7.0", "registryCredential": credential}, "a curated image is not pulled"),
        ({"registryCredential": {**credential, "credentialProvider": "ODD"}}, "Invalid credential provider: ODD"),
        ({"registryCredential": {**credential, "credential": ""}}, "credential is the name or the ARN of a secret"),
        ({"registryCredential": {**credential, "credential": "a b"}}, "credential is the name or the ARN of a secret"),
    ):
        with pytest.raises(InvalidProject, match=sentence):
            environment(**members)


@pytest.mark.django_db
def test_conditions_see_the_environment_of_a_request(settings, monkeypatch):
    settings.BUILD_PRIVILEGED = True
    document = factories.allow("codebuild:*", "iam:PassRole")
    privileged = {"Bool": {"codebuild:environment.privilegedMode": "true"}}
    document["Statement"].append({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": privileged})
    dora = factories.user("dora", document=document).principal
    project = factories.project("mine", repository_name=None)
    fields = {
        "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2"},
        "artifacts": project.artifacts,
        "environment": {**project.environment, "privilegedMode": True},
        "serviceRole": project.service_role_arn,
    }
    with pytest.raises(AccessDenied, match="codebuild:CreateProject"):
        projects.create_project(dora, {**fields, "name": "other"})
    with pytest.raises(AccessDenied, match="codebuild:UpdateProject"):
        projects.update_project(dora, "mine", {"environment": fields["environment"]})
    with pytest.raises(AccessDenied, match="codebuild:StartBuild"):
        lifecycle.start_build(dora, "mine", {"privilegedModeOverride": True})
    projects.update_project(dora, "mine", {"environment": project.environment})
    assert lifecycle.start_build(dora, "mine", {"privilegedModeOverride": False}).environment["privilegedMode"] is False
    # A project that somebody else made privileged is theirs to start, and a build that was so is not theirs to retry.
    Project.objects.update(environment=fields["environment"])
    build = lifecycle.start_build(dora, "mine")
    with pytest.raises(AccessDenied, match="codebuild:RetryBuild"):
        lifecycle.retry_build(dora, build)


@pytest.mark.django_db
def test_a_project_whose_privileged_mode_is_no_longer_allowed_starts_no_build(alice):
    project = factories.project("mine", repository_name=None, privilegedMode=True)
    with pytest.raises(InvalidProject, match="Privileged mode is off on this server"):
        lifecycle.start_build(alice.principal, project.name)
