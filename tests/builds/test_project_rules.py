from __future__ import annotations

import pytest

from builds.project_rules import InvalidProject, check_environment

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
