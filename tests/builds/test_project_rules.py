from __future__ import annotations

import pytest

from builds import projects
from builds.models import Project
from builds.project_rules import InvalidProject, check_environment
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
