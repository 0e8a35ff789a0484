from __future__ import annotations

import pytest

from codeservices.aws import model, redact


@pytest.mark.parametrize(
    ("kind", "is_kept"),
    [(None, False), ("PLAINTEXT", False), ("PLAIN", False), ("PARAMETER_STORE", True), ("SECRETS_MANAGER", True)],
)
def test_a_variable_s_value_is_kept_only_where_it_names_a_secret(kind, is_kept):
    operation = model.SERVICES["codebuild"].operation("StartBuild")
    variable = {"name": "KEY", "value": "hunter2"} | ({"type": kind} if kind else {})
    params = {"projectName": "demo", "environmentVariablesOverride": [variable]}
    told = redact.for_trail(operation.input_shape, params)
    assert ("hunter2" in str(told)) is is_kept
    assert told["environmentVariablesOverride"][0]["name"] == "KEY"
