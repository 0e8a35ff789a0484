"""From a request's members to the function registered for the operation, and what stands between."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from codeservices.audit.acts import RequestInfo
from codeservices.aws import dispatch as dispatching
from codeservices.aws import model, redact
from codeservices.aws.dispatch import Call, dispatch, find_operation
from codeservices.aws.model import SERVICES
from codeservices.errors import ServiceError
from codeservices.iam.principal import Principal

ALICE = Principal("user", "arn:aws:iam::123456789012:user/alice", "123456789012", "AIDA", "alice")
INFO = RequestInfo("r", "127.0.0.1", "tests", "api")


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(dispatching, "_handlers", {})
    monkeypatch.setattr(dispatching, "_constraint_errors", {})


def call(service: str, name: str, **params) -> dict:
    operation = find_operation(SERVICES[service], name)
    return dispatch(SERVICES[service], Call(ALICE, params, INFO, "https://host", operation))


def refused(service: str, name: str, **params) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        call(service, name, **params)
    return caught.value


def test_a_registered_function_gets_the_call_and_its_answer_comes_back():
    @dispatching.operation("codecommit", "GetRepository")
    def get_repository(call: Call) -> dict:
        return {"repositoryMetadata": {"repositoryName": call.params["repositoryName"], "cloneUrlHttp": call.origin}}

    answer = call("codecommit", "GetRepository", repositoryName="demo")
    assert answer == {"repositoryMetadata": {"repositoryName": "demo", "cloneUrlHttp": "https://host"}}
    assert dispatching.registered() == [("codecommit", "GetRepository")]


def test_a_function_without_an_answer_answers_nothing():
    dispatching.operation("codecommit", "UpdateRepositoryName")(lambda call: None)
    assert call("codecommit", "UpdateRepositoryName", oldName="a", newName="b") == {}


def test_one_operation_has_one_function():
    dispatching.operation("iam", "GetUser")(lambda call: None)
    with pytest.raises(ValueError, match="registered twice"):
        dispatching.operation("iam", "GetUser")(lambda call: None)


def test_a_known_operation_that_is_not_served_says_so_with_a_code_that_clients_do_not_repeat():
    error = refused("codebuild", "CreateFleet")
    assert error.code == "UnsupportedOperationException"
    assert error.message == "CodeBuild CreateFleet is not available on this server."


def test_an_unknown_operation_is_named():
    error = refused("codebuild", "BakeBread")
    assert (error.code, error.message) == (
        "UnknownOperationException",
        "CodeBuild has no operation called “BakeBread”.",
    )


def test_broken_constraints_are_all_told_in_awss_words():
    dispatching.operation("iam", "CreateUser")(lambda call: None)
    error = refused("iam", "CreateUser", UserName="no spaces", Tags=[{"Key": ""}])
    assert error.code == "ValidationException"
    assert error.message.startswith("4 validation errors detected: Value 'no spaces' at 'userName' failed to satisfy ")
    assert "Value '' at 'tags.1.member.key' failed" in error.message
    assert "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null" in error.message


def test_a_service_names_broken_constraints_as_it_does():
    dispatching.operation("codecommit", "GetRepository")(lambda call: None)

    @dispatching.constraint_error("codecommit")
    def named(operation, problems):
        assert operation.name == "GetRepository"
        return ServiceError(f"{problems[0].member} {problems[0].rule}", code="RepositoryNameRequiredException")

    assert refused("codecommit", "GetRepository").message == "repositoryName required"


@pytest.mark.parametrize(
    ("params", "rule"),
    [
        ({"projectName": "p", "timeoutInMinutesOverride": 4}, "greater than or equal to 5"),
        ({"projectName": "p", "timeoutInMinutesOverride": 2161}, "less than or equal to 2160"),
        ({"projectName": "p", "computeTypeOverride": "HUGE"}, "enum value set: [BUILD_GENERAL1_SMALL"),
        ({"projectName": ""}, "length greater than or equal to 1"),
    ],
)
def test_ranges_enumerations_and_lengths_are_checked(params, rule):
    dispatching.operation("codebuild", "StartBuild")(lambda call: None)
    assert rule in refused("codebuild", "StartBuild", **params).message


def test_sensitive_values_are_not_repeated_in_the_sentence():
    dispatching.operation("iam", "CreateLoginProfile")(lambda call: None)
    message = refused("iam", "CreateLoginProfile", UserName="u", Password="p" * 200).message
    assert "Value at 'password' failed" in message
    assert "ppp" not in message


def test_tags_take_letters_of_any_alphabet():
    dispatching.operation("iam", "TagUser")(lambda call: None)
    assert call("iam", "TagUser", UserName="u", Tags=[{"Key": "größe", "Value": "十 7"}]) == {}
    assert "pattern" in refused("iam", "TagUser", UserName="u", Tags=[{"Key": "a!", "Value": ""}]).message


def test_targets_and_versions_lead_to_services():
    assert model.by_target("CodeCommit_20150413.GetRepository") == (SERVICES["codecommit"], "GetRepository")
    trail = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"
    assert model.by_target(trail) == (SERVICES["cloudtrail"], "LookupEvents")
    assert model.by_target("Nobody.Nothing") == (None, "Nothing")
    assert model.by_target("2010-05-08.GetUser") == (None, "GetUser")
    assert model.by_version("2011-06-15") is SERVICES["sts"]
    assert model.by_version("CodeCommit_20150413") is None


def test_the_trail_keeps_no_secret_and_tells_times_as_cloudtrail_does():
    created = find_operation(SERVICES["iam"], "CreateAccessKey").output_shape
    key = {
        "UserName": "alice",
        "AccessKeyId": "AKIA",
        "Status": "Active",
        "SecretAccessKey": "s3cr3t",
        "CreateDate": datetime(2016, 12, 14, 18, 19, 4, tzinfo=UTC),
    }
    assert redact.for_trail(created, {"AccessKey": key}) == {
        "accessKey": {
            "userName": "alice",
            "accessKeyId": "AKIA",
            "status": "Active",
            "secretAccessKey": redact.HIDDEN,
            "createDate": "Dec 14, 2016 6:19:04 PM",
        }
    }


def test_the_trail_hides_plain_variables_and_contents_and_cuts_long_texts():
    start = find_operation(SERVICES["codebuild"], "StartBuild").input_shape
    variables = [
        {"name": "A", "value": "s3cr3t"},
        {"name": "B", "value": "/path", "type": "PARAMETER_STORE"},
    ]
    kept = redact.for_trail(
        start,
        {"projectName": "p", "environmentVariablesOverride": variables, "buildspecOverride": "x" * 5000},
    )
    assert kept["environmentVariablesOverride"][0] == {"name": "A", "value": redact.HIDDEN}
    assert kept["environmentVariablesOverride"][1]["value"] == "/path"
    assert len(kept["buildspecOverride"]) == redact.MAX_TEXT + 1
    put = find_operation(SERVICES["codecommit"], "PutFile").input_shape
    assert redact.for_trail(put, {"fileContent": b"1234"}) == {"fileContent": "(4 bytes)"}
