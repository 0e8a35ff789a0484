"""JSON 1.1 against botocore: what its serialiser writes we read, and what we write its parser reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from botocore.model import Shape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from codeservices.aws import dispatch, json11, validate
from codeservices.aws.model import SERVICES
from codeservices.errors import ServiceError

CODECOMMIT, CODEBUILD = SERVICES["codecommit"], SERVICES["codebuild"]


def model(service, name):
    return service.operation(name)


def sent(operation, params) -> bytes:
    return create_serializer("json").serialize_to_request(params, operation)["body"]


def received(operation, body: bytes, status: int = 200):
    response = {"status_code": status, "headers": {"x-amzn-requestid": "r"}, "body": body}
    return create_parser("json").parse(response, operation.output_shape)


def test_a_request_of_botocore_is_read_by_its_shape():
    operation = model(CODECOMMIT, "PutFile")
    params = {"repositoryName": "demo", "branchName": "main", "filePath": "ä/b", "fileContent": b"\x00\xff"}
    assert json11.parse(operation, sent(operation, params)) == params


def test_nested_lists_maps_and_numbers_are_read():
    operation = model(CODEBUILD, "CreateProject")
    params = {
        "name": "demo",
        "source": {"type": "CODECOMMIT", "gitCloneDepth": 0},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {
            "type": "LINUX_CONTAINER",
            "image": "codeservices/base",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "A", "value": ""}],
            "privilegedMode": False,
        },
        "serviceRole": "arn:aws:iam::123456789012:role/r",
    }
    assert json11.parse(operation, sent(operation, params)) == params


def test_nulls_are_absent_and_unknown_members_are_ignored():
    operation = model(CODECOMMIT, "GetRepository")
    assert json11.parse(operation, b'{"repositoryName": null, "colour": "red"}') == {}
    assert json11.parse(operation, b"") == {}


def test_a_time_in_is_a_number():
    operation = model(SERVICES["cloudtrail"], "LookupEvents")
    assert json11.parse(operation, b'{"StartTime": 1504269296}')["StartTime"] == datetime(
        2017, 9, 1, 12, 34, 56, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "not valid JSON"),
        (b"\xff\xfe{}", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"repositoryName": NaN}', "not valid JSON"),
        (b'["demo"]', "must be a JSON object"),
        (b'{"repositoryName": 7}', "NUMBER_VALUE cannot be converted to String at 'repositoryName'"),
        (b'{"repositoryName": true}', "BOOLEAN_VALUE cannot be converted to String"),
        (b'{"repositoryName": ["demo"]}', "ARRAY_VALUE cannot be converted to String"),
        (b'{"repositoryName": "a\\u0000"}', "holds a NUL character"),
        (b'{"tags": {"a\\ud800": ""}}', "lone surrogate"),
        (b'{"tags": "a"}', "STRING_VALUE cannot be converted to map at 'tags'"),
        (b'{"tags": {"a": null}}', "NULL_VALUE cannot be converted to String at 'tags.a'"),
    ],
)
def test_a_body_that_does_not_fit_is_a_serialization_exception(body, sentence):
    with pytest.raises(ServiceError) as caught:
        json11.parse(model(CODECOMMIT, "CreateRepository"), body)
    assert caught.value.code == "SerializationException"
    assert sentence in caught.value.message


@pytest.mark.parametrize("value", ["1.5", "1e999", "2147483648", '"5"', "true"])
def test_an_integer_must_be_one_and_fit(value):
    with pytest.raises(ServiceError) as caught:
        json11.parse(model(CODEBUILD, "StartBuild"), b'{"timeoutInMinutesOverride": %s}' % value.encode())
    assert caught.value.code == "SerializationException"


def test_an_answer_is_read_back_by_botocore():
    operation = model(CODECOMMIT, "GetRepository")
    moment = datetime(2019, 10, 17, 23, 35, 6, 936_500, tzinfo=UTC)
    metadata = {"repositoryName": "demo", "Arn": "arn:…", "creationDate": moment, "defaultBranch": None}
    body = json11.serialise(operation, {"repositoryMetadata": metadata})
    assert json.loads(body)["repositoryMetadata"]["creationDate"] == 1571355306.936
    read = received(operation, body)["repositoryMetadata"]
    assert read["creationDate"] == moment.replace(microsecond=936_000)
    assert "defaultBranch" not in read


def test_blobs_go_out_as_base64():
    operation = model(CODECOMMIT, "GetBlob")
    assert received(operation, json11.serialise(operation, {"content": b"\x00\xff"}))["content"] == b"\x00\xff"


def test_whole_seconds_are_integers_whatever_the_zone():
    assert json11.epoch(datetime(2017, 9, 1, 14, 34, 56, tzinfo=timezone(timedelta(hours=2)))) == 1504269296
    assert isinstance(json11.epoch(datetime(2017, 9, 1, tzinfo=UTC)), int)


def test_an_operation_without_output_has_an_empty_body_and_one_with_an_empty_shape_has_braces():
    assert json11.serialise(model(CODECOMMIT, "UpdateRepositoryName"), {}) == b""
    assert json11.serialise(model(CODEBUILD, "DeleteProject"), {}) == b"{}"


def test_a_member_that_the_shape_lacks_is_our_fault_and_loud():
    with pytest.raises(KeyError, match="repositoryNam"):
        json11.serialise(model(CODECOMMIT, "GetRepository"), {"repositoryMetadata": {"repositoryNam": "x"}})


def test_errors_reach_botocore_with_code_and_message():
    failure = ServiceError("nope does not exist", code="RepositoryDoesNotExistException", status=404)
    status, code, body = json11.error(CODECOMMIT, failure)
    assert (status, code) == (400, "RepositoryDoesNotExistException")
    read = received(model(CODECOMMIT, "GetRepository"), body, status)
    assert read["Error"] == {"Code": code, "Message": "nope does not exist"}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDeniedException", 400),
        ("InternalFailure", 500),
        ("EncryptionIntegrityChecksFailedException", 500),
        ("UnknownOperationException", 400),
    ],
)
def test_json_services_answer_400_to_all_but_faults(code, status):
    assert json11.error(CODECOMMIT, ServiceError("x", code=code, status=403))[0] == status


def test_a_hint_follows_the_sentence():
    _, _, body = json11.error(None, ServiceError("It broke.", hint="Mend it."))
    assert json.loads(body)["message"] == "It broke. Mend it."


def shapes_of(shape, known: dict[str, Shape]) -> dict[str, Shape]:
    """A shape and all that it is made of, by name."""
    if shape is not None and shape.name not in known:
        known[shape.name] = shape
        parts = [*getattr(shape, "members", {}).values()]
        parts += [getattr(shape, part) for part in ("member", "key", "value") if hasattr(shape, part)]
        for part in parts:
            shapes_of(part, known)
    return known


def test_every_pattern_of_what_is_served_is_understood():
    patterns = {
        (service, name): shape.metadata["pattern"]
        for service, operation in dispatch.registered()
        if service in SERVICES
        for name, shape in shapes_of(SERVICES[service].operation(operation).input_shape, {}).items()
        if "pattern" in shape.metadata
    }
    assert len(patterns) > 50
    assert [where for where, pattern in patterns.items() if validate.compiled_pattern(pattern) is None] == []
