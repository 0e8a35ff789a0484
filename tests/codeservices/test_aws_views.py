"""The endpoint's edges: what is no call, a call of nothing, too much, or ends in a fault of ours."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from django.test import Client

from codeservices.audit.models import Event
from codeservices.aws import dispatch as dispatching
from codeservices.iam import credentials

JSON = "application/x-amz-json-1.1"
FORM = "application/x-www-form-urlencoded; charset=utf-8"


@pytest.fixture
def post(alice):
    """POST / with headers and a body, signed by alice for a service, as the bytes go over the wire."""
    key, secret = credentials.issue_access_key(alice)

    def send(body: bytes, content_type: str, service: str = "codecommit", target: str | None = None):
        headers = {"Host": "testserver", "Content-Type": content_type}
        if target is not None:
            headers["X-Amz-Target"] = target
        request = AWSRequest("POST", "http://testserver/", headers=headers, data=body)
        SigV4Auth(Credentials(key.access_key_id, secret), service, "eu-north-1").add_auth(request)
        client = Client(raise_request_exception=False)
        return client.post("/", data=body, content_type=content_type, headers=dict(request.headers))

    return send


def told(response) -> tuple[int, str, str]:
    """Status, code and message of an error in either protocol."""
    assert response["x-amzn-RequestId"] == response["X-Request-Id"]
    if response["Content-Type"] == JSON:
        body = json.loads(response.content)
        return response.status_code, body["__type"], body["message"]
    assert response["Content-Type"] == "text/xml"
    root = ElementTree.fromstring(response.content)
    fields = {element.tag.rpartition("}")[2]: element.text for element in root.iter()}
    assert fields["RequestId"] == response["x-amzn-RequestId"]
    return response.status_code, fields["Code"] or "", fields["Message"] or ""


def test_any_region_means_this_one(post):
    response = post(b"{}", JSON, target="CodeCommit_20150413.ListRepositories")
    assert (response.status_code, response["Content-Type"]) == (200, JSON)
    assert json.loads(response.content) == {"repositories": []}
    assert response["Cache-Control"] == "no-store"


def test_an_operation_that_nobody_has_is_told_in_the_callers_protocol(post):
    sentence = "CodeCommit has no operation called “Nothing”."
    assert told(post(b"{}", JSON, target="CodeCommit_20150413.Nothing")) == (400, "UnknownOperationException", sentence)
    status, code, _ = told(post(b"{}", JSON, target="Nobody_20150413.Nothing"))
    assert (status, code) == (400, "UnknownOperationException")
    body = b"Action=Nothing&Version=2010-05-08"
    assert told(post(body, FORM, "iam")) == (400, "InvalidAction", "IAM has no operation called “Nothing”.")
    status, code, _ = told(post(b"Action=GetUser&Version=1999-01-01", FORM, "iam"))
    assert (status, code) == (400, "InvalidAction")


def test_a_post_that_is_no_call_says_how_to_make_one(post, client):
    status, code, message = told(post(b"hello", "text/plain"))
    assert (status, code) == (400, "UnknownOperationException")
    assert "X-Amz-Target" in message
    assert told(client.post("/"))[0] == 400


def test_a_body_that_can_not_be_read_is_told_and_recorded(post):
    response = post(b"{", JSON, target="CodeCommit_20150413.GetRepository")
    assert told(response) == (400, "SerializationException", "The request's body is not valid JSON.")
    event = Event.objects.get()
    assert (event.event_name, event.error_code) == ("GetRepository", "SerializationException")


def test_a_form_that_is_none_is_told(post):
    assert told(post(b"Action=%ff&Version=2010-05-08", FORM, "iam"))[:2] == (400, "InvalidParameterValue")


def test_a_body_beyond_the_limit_is_refused_before_it_is_looked_at(post, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
    response = post(b" " * (1024 * 1024 + 1), JSON, target="CodeCommit_20150413.GetRepository")
    assert told(response)[:2] == (413, "RequestEntityTooLargeException")


def test_a_session_opens_nothing_here(alice_client):
    headers = {"X-Amz-Target": "CodeCommit_20150413.ListRepositories"}
    response = alice_client.post("/", data=b"{}", content_type=JSON, headers=headers)
    assert told(response)[:2] == (400, "MissingAuthenticationTokenException")


def test_a_fault_of_ours_shows_a_request_id_and_nothing_else(post, monkeypatch, caplog):
    def broken(call):
        raise RuntimeError("the secret inside")

    monkeypatch.setitem(dispatching._handlers, ("codecommit", "ListRepositories"), broken)
    response = post(b"{}", JSON, target="CodeCommit_20150413.ListRepositories")
    status, code, message = told(response)
    assert (status, code) == (500, "InternalFailure")
    assert response["x-amzn-RequestId"] in message
    assert b"secret" not in response.content
    assert "the secret inside" in caplog.text
    event = Event.objects.get()
    assert (event.outcome, event.error_code, event.error_message) == ("Failed", "InternalFailure", "RuntimeError")


def test_every_registered_operation_is_one_of_the_models_and_shapes_its_answer():
    from codeservices.aws.model import SERVICES

    registered = dispatching.registered()
    assert len(registered) > 40
    for service, name in registered:
        assert SERVICES[service].operation(name) is not None, (service, name)
