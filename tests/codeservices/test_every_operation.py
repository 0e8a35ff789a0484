"""Every operation that the services' models have: served, or refused with a sentence, and never a fault of ours."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from codeservices.aws import dispatch, model
from codeservices.iam import credentials
from tests.codeservices.behind_doors import body
from tests.codeservices.test_doors_api import called

pytestmark = pytest.mark.django_db

# Pull requests and approval rules come later; of all else CodeCommit has nothing may be missing.
LATER = ("PullRequest", "ApprovalRule")


@pytest.mark.parametrize("service_name", sorted(name for name, one in model.SERVICES.items() if one.protocol == "json"))
def test_what_is_not_served_is_refused_in_words_and_a_request_without_members_is_no_fault(service_name, alice):
    service = model.SERVICES[service_name]
    served = {name for service, name in dispatch.registered() if service == service_name}
    key = credentials.issue_access_key(alice)
    for name in service.model.operation_names:
        answer = called(Client(), f"{service_name}:{name}", {}, key)
        assert answer.status_code in (200, 400), (name, answer.status_code)
        if name not in served:
            told = json.loads(body(answer))
            assert told["__type"] == "UnsupportedOperationException", name
            assert told["message"] == f"{service.title} {name} is not available on this server."
        elif answer.status_code == 400:
            told = json.loads(body(answer))
            assert told["message"] and told["__type"] != "UnsupportedOperationException", (name, told)


def test_of_codecommit_pull_requests_and_approval_rules_alone_come_later():
    served = {name for service, name in dispatch.registered() if service == "codecommit"}
    missing = set(model.SERVICES["codecommit"].model.operation_names) - served
    assert {name for name in missing if not any(word in name for word in LATER)} == set()
    assert not any(word in name for name in served for word in LATER)


def test_an_error_of_codecommits_is_one_that_its_model_declares(alice):
    """A request without members is refused with an error that an SDK has a class for."""
    service = model.SERVICES["codecommit"]
    key = credentials.issue_access_key(alice)
    codes = {}
    for _, name in (one for one in dispatch.registered() if one[0] == "codecommit"):
        answer = called(Client(), f"codecommit:{name}", {}, key)
        if answer.status_code == 400:
            codes[name] = json.loads(body(answer))["__type"]
    assert {name for name, code in codes.items() if model.declared_error(service, code) is None} == set()
    assert len(codes) > 40
