"""The Query protocol against botocore: what its serialiser writes we read, and what we write its parser reads."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from codeservices.aws import query
from codeservices.aws.model import SERVICES
from codeservices.errors import AccessDenied, ServiceError

IAM, SNS, STS = SERVICES["iam"], SERVICES["sns"], SERVICES["sts"]
REQUEST_ID = "8d7f2f0e-0000-4000-8000-000000000000"


def read(operation, params):
    """The parameters as botocore puts them into a form and we take them out again."""
    form = create_serializer("query").serialize_to_request(params, operation)["body"]
    return query.parse(operation, query.fields(urlencode(form).encode()))


def received(operation, body: bytes, status: int = 200):
    response = {"status_code": status, "headers": {}, "body": body}
    return create_parser("query").parse(response, operation.output_shape)


@pytest.mark.parametrize(
    ("service", "name", "params"),
    [
        (IAM, "CreateUser", {"UserName": "ä&=+ b", "Tags": [{"Key": "k", "Value": ""}, {"Key": "l", "Value": "w"}]}),
        (IAM, "UntagUser", {"UserName": "u", "TagKeys": [str(number) for number in range(12)]}),
        (IAM, "ListUsers", {"MaxItems": 7}),
        (IAM, "CreatePolicyVersion", {"PolicyArn": "a" * 20, "PolicyDocument": "{}", "SetAsDefault": True}),
        (SNS, "CreateTopic", {"Name": "t", "Attributes": {"DisplayName": "D", "KmsMasterKeyId": ""}}),
        (
            SNS,
            "Publish",
            {"Message": "m", "MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}},
        ),
        (STS, "GetCallerIdentity", {}),
    ],
)
def test_what_botocore_writes_is_read_back(service, name, params):
    assert read(service.operation(name), params) == params


def test_an_empty_list_is_an_empty_list_and_unknown_fields_are_ignored():
    operation = IAM.operation("TagUser")
    assert query.parse(operation, {"UserName": "u", "Tags": "", "Colour.1": "x"}) == {"UserName": "u", "Tags": []}


@pytest.mark.parametrize(
    "form",
    [
        {"MaxItems": "many"},
        {"MaxItems": "1" * 40},
        {"MaxItems": "١"},
    ],
)
def test_a_number_must_be_one(form):
    with pytest.raises(ServiceError) as caught:
        query.parse(IAM.operation("ListUsers"), form)
    assert (caught.value.code, query.error(IAM, caught.value, REQUEST_ID)[1]) == (
        "SerializationException",
        "InvalidParameterValue",
    )


def test_list_places_must_be_numbers_and_booleans_words():
    with pytest.raises(ServiceError, match="its places are numbers"):
        query.parse(IAM.operation("TagUser"), {"Tags.member.x.Key": "k"})
    with pytest.raises(ServiceError, match="true or false"):
        query.parse(IAM.operation("ListPolicies"), {"OnlyAttached": "maybe"})


def test_text_that_no_database_keeps_is_refused():
    with pytest.raises(ServiceError, match="NUL"):
        query.parse(IAM.operation("GetUser"), query.fields(b"UserName=a%00"))


def test_a_form_that_is_none_is_refused():
    with pytest.raises(ServiceError, match="not a valid form"):
        query.fields(b"UserName=%ff")
    with pytest.raises(ServiceError, match="not a valid form"):
        query.fields(b"&".join(b"a%d=1" % number for number in range(query.MAX_FIELDS + 1)))


def test_an_answer_is_read_back_by_botocore():
    operation = IAM.operation("ListUsers")
    user = {
        "UserName": "alice <&>",
        "UserId": "AIDA",
        "Arn": "arn",
        "Path": "/",
        "CreateDate": datetime(2017, 9, 1, 12, 34, 56, 789, tzinfo=UTC),
        "PasswordLastUsed": None,
    }
    body = query.serialise(IAM, operation, {"Users": [user], "IsTruncated": False}, REQUEST_ID)
    answer = received(operation, body)
    assert answer["ResponseMetadata"]["RequestId"] == REQUEST_ID
    assert answer["IsTruncated"] is False
    assert answer["Users"] == [
        {key: value for key, value in user.items() if value is not None}
        | {"CreateDate": datetime(2017, 9, 1, 12, 34, 56, tzinfo=UTC)}
    ]
    assert b"<CreateDate>2017-09-01T12:34:56Z</CreateDate>" in body


def test_an_empty_list_and_a_void_operation_have_their_frames():
    body = query.serialise(IAM, IAM.operation("ListUsers"), {"Users": [], "IsTruncated": False}, REQUEST_ID)
    assert b"<ListUsersResult><Users/><IsTruncated>false</IsTruncated></ListUsersResult>" in body
    void = query.serialise(IAM, IAM.operation("DeleteAccessKey"), {}, REQUEST_ID)
    root = ElementTree.fromstring(void)
    assert root.tag == "{https://iam.amazonaws.com/doc/2010-05-08/}DeleteAccessKeyResponse"
    assert [child.tag.rpartition("}")[2] for child in root] == ["ResponseMetadata"]


def test_maps_go_out_as_entries():
    operation = SNS.operation("GetTopicAttributes")
    attributes = {"DisplayName": "D", "Owner": "1"}
    assert (
        received(operation, query.serialise(SNS, operation, {"Attributes": attributes}, REQUEST_ID))["Attributes"]
        == attributes
    )


def test_characters_that_xml_lacks_do_not_break_the_answer():
    operation = IAM.operation("GetUser")
    user = {"UserName": "a\x00b\ud800", "UserId": "i", "Arn": "a", "Path": "/"}
    assert (
        received(operation, query.serialise(IAM, operation, {"User": user}, REQUEST_ID))["User"]["UserName"] == "a�b�"
    )


@pytest.mark.parametrize(
    ("failure", "status", "code", "kind"),
    [
        (ServiceError("x", code="NoSuchEntity"), 404, "NoSuchEntity", "Sender"),
        (ServiceError("x", code="NoSuchEntityException"), 404, "NoSuchEntity", "Sender"),
        (ServiceError("x", code="LimitExceededException"), 409, "LimitExceeded", "Sender"),
        (AccessDenied("arn:p", "iam:GetUser", "arn:r"), 403, "AccessDenied", "Sender"),
        (ServiceError("x", code="InvalidSignatureException"), 403, "SignatureDoesNotMatch", "Sender"),
        (ServiceError("x", code="UnrecognizedClientException"), 403, "InvalidClientTokenId", "Sender"),
        (ServiceError("x", code="UnknownOperationException"), 400, "InvalidAction", "Sender"),
        (ServiceError("x", code="InternalFailure"), 500, "InternalFailure", "Receiver"),
    ],
)
def test_errors_have_the_codes_and_statuses_of_the_query_services(failure, status, code, kind):
    answered, name, body = query.error(IAM, failure, REQUEST_ID)
    assert (answered, name) == (status, code)
    parsed = received(IAM.operation("GetUser"), body, status)
    assert parsed["Error"] == {"Type": kind, "Code": code, "Message": failure.message}
    assert parsed["ResponseMetadata"]["RequestId"] == REQUEST_ID


def test_an_expired_token_is_told_by_sts_as_by_every_service():
    answered, code, _ = query.error(SERVICES["sts"], ServiceError("x", code="ExpiredTokenException"), REQUEST_ID)
    assert (answered, code) == (403, "ExpiredToken")


def test_an_error_of_nobodys_service_still_reads():
    body = query.error(None, ServiceError("<x>", code="UnknownOperationException"), REQUEST_ID)[2]
    assert received(IAM.operation("GetUser"), body, 400)["Error"]["Message"] == "<x>"
