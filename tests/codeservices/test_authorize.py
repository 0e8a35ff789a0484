from __future__ import annotations

import json
from dataclasses import replace

import pytest

from codeservices.audit import cloudtrail
from codeservices.audit.acts import RequestInfo
from codeservices.audit.models import Event
from codeservices.audit.record import act
from codeservices.errors import AccessDenied
from codeservices.iam import policies
from codeservices.iam.authorize import authorize, decide, is_allowed
from codeservices.iam.models import Group, Policy, Role
from codeservices.iam.principal import Principal
from tests import factories

REPOSITORY = "arn:aws:codecommit:us-east-1:123456789012:demo"
INFO = RequestInfo("11111111-2222-3333-4444-555555555555", "192.0.2.7", "git/2.39.5", "git")


def test_an_administrator_may_do_everything(alice):
    authorize(alice.principal, "codecommit:DeleteRepository", REPOSITORY)


def test_a_reader_may_pull_and_not_push(bob):
    authorize(bob.principal, "codecommit:GitPull", REPOSITORY)
    with pytest.raises(AccessDenied) as caught:
        authorize(bob.principal, "codecommit:GitPush", REPOSITORY)
    assert caught.value.message == (
        "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: codecommit:GitPush on resource: "
        f"{REPOSITORY} because no identity-based policy allows the codecommit:GitPush action"
    )


def test_nobody_may_do_nothing(db):
    assert not is_allowed(Principal.anonymous(), "codecommit:GitPull", REPOSITORY)


def test_a_groups_policy_counts_for_its_users(carol):
    group = Group.objects.create(name="readers")
    group.policies.add(Policy.objects.get(name="AWSCodeCommitReadOnly"))
    assert not is_allowed(carol.principal, "codecommit:GitPull", REPOSITORY)
    carol.groups.add(group)
    assert is_allowed(carol.principal, "codecommit:GitPull", REPOSITORY)


def test_an_inactive_user_may_do_nothing_at_once(alice):
    alice.is_active = False
    alice.save()
    assert not is_allowed(alice.principal, "codecommit:GitPull", REPOSITORY)


def test_a_changed_document_decides_at_once(alice, carol):
    pull, push = (json.dumps(factories.allow(f"codecommit:{name}")) for name in ("GitPull", "GitPush"))
    policy = Policy.objects.create_with_document(pull, name="own")
    carol.policies.add(policy)
    assert is_allowed(carol.principal, "codecommit:GitPull", REPOSITORY)
    policies.replace_document(alice.principal, policy.arn, push)
    assert not is_allowed(carol.principal, "codecommit:GitPull", REPOSITORY)


OLD = '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}], "Statement": []}'


def test_a_policy_that_can_not_be_read_any_more_denies_everything_and_says_so(alice, carol):
    group = Group.objects.create(name="readers")
    carol.groups.add(group)
    group.policies.add(Policy.objects.get(name="AWSCodeCommitReadOnly"))
    assert is_allowed(carol.principal, "codecommit:GitPull", REPOSITORY)
    old = Policy.objects.create_with_document(OLD, name="old")
    group.policies.add(old)
    with pytest.raises(AccessDenied, match=r"with an explicit deny in an identity-based policy$") as caught:
        authorize(carol.principal, "codecommit:GitPull", REPOSITORY)
    assert caught.value.hint == (
        f"({old.arn} can't be read and denies everything until it is put right: Line 1, column 70: This is not JSON: "
        "The key “Statement” stands twice in one object.)"
    )
    policies.replace_document(alice.principal, old.arn, json.dumps(factories.allow("codecommit:GitPush")))
    authorize(carol.principal, "codecommit:GitPull", REPOSITORY)
    authorize(carol.principal, "codecommit:GitPush", REPOSITORY)


def test_an_inline_policy_and_a_session_policy_that_can_not_be_read_deny_too(alice, carol):
    bounded = replace(alice.principal, session_policies=(OLD,))
    decision = decide(bounded, "iam:ListUsers", "*")
    assert decision.is_explicit_deny and decision.limit == "session policy" and decision.fault
    carol.policies.add(Policy.objects.get(name="AdministratorAccess"))
    carol.inline_policies.create(name="old", document=OLD)
    assert decide(carol.principal, "iam:ListUsers", "*").place.startswith("user/carol/old can't be read")


def test_a_builds_role_may_clone_and_not_push(db):
    session = Role.objects.get(name="codebuild-service-role").session("build-1")
    assert is_allowed(session, "codecommit:GitPull", REPOSITORY)
    assert not is_allowed(session, "codecommit:GitPush", REPOSITORY)


def test_the_source_address_of_the_act_is_a_condition(db):
    document = factories.allow("codecommit:GitPull")
    document["Statement"][0]["Condition"] = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    dora = factories.user("dora", document=document)
    assert not is_allowed(dora.principal, "codecommit:GitPull", REPOSITORY)
    with act(dora.principal, INFO):
        assert is_allowed(dora.principal, "codecommit:GitPull", REPOSITORY)


def test_an_act_leaves_one_event_named_by_its_first_decision(alice):
    with act(alice.principal, INFO) as current:
        authorize(alice.principal, "codecommit:GetRepository", REPOSITORY)
        authorize(alice.principal, "codecommit:ListBranches", REPOSITORY)
        current.parameters["repositoryName"] = "demo"
    event = Event.objects.get()
    assert (event.event_name, event.event_source, event.outcome) == (
        "GetRepository",
        "codecommit.amazonaws.com",
        "Success",
    )
    assert (event.principal_name, event.source_ip, event.is_read_only) == ("alice", "192.0.2.7", True)
    assert cloudtrail.record(event)["requestParameters"] == {"repositoryName": "demo"}
    assert cloudtrail.record(event)["requestID"] == INFO.request_id


def test_a_denied_act_is_recorded_as_denied_with_its_resource(bob):
    with pytest.raises(AccessDenied), act(bob.principal, INFO):
        authorize(bob.principal, "codecommit:GitPush", REPOSITORY)
    event = Event.objects.get()
    assert (event.outcome, event.event_name, event.resource_arn) == ("Denied", "GitPush", REPOSITORY)
    assert event.error_code == "AccessDeniedException"
    assert cloudtrail.record(event)["responseElements"] is None


def test_an_act_that_breaks_is_recorded_without_its_insides(alice):
    with pytest.raises(ZeroDivisionError), act(alice.principal, INFO):
        authorize(alice.principal, "codecommit:GetRepository", REPOSITORY)
        raise ZeroDivisionError("secret detail")
    event = Event.objects.get()
    assert (event.outcome, event.error_code, event.error_message) == ("Failed", "InternalFailure", "ZeroDivisionError")


def test_an_act_in_which_nothing_was_decided_leaves_no_event(alice):
    with act(alice.principal, INFO):
        pass
    assert not Event.objects.exists()


TAGGED = {"StringEquals": {"aws:ResourceTag/team": "blue"}}


@pytest.mark.parametrize(("tags", "answer"), [({"team": "blue"}, True), ({"team": "red"}, False), ({}, False)])
def test_a_policy_may_speak_of_the_tags_of_what_is_acted_on(carol, tags, answer):
    document = factories.allow("codecommit:GetRepository", "codebuild:BatchGetProjects", "iam:GetUser")
    document["Statement"][0]["Condition"] = TAGGED
    dave = factories.user("dave", document=document)
    repository = factories.repository("demo")
    repository.tags = tags
    repository.save()
    project = factories.project("demo")
    project.tags = [{"key": key, "value": value} for key, value in tags.items()]
    project.save()
    carol.tags = tags
    carol.save()
    assert is_allowed(dave.principal, "codecommit:GetRepository", repository.arn) is answer
    assert is_allowed(dave.principal, "codebuild:BatchGetProjects", project.arn) is answer
    assert is_allowed(dave.principal, "iam:GetUser", carol.arn) is answer
    assert not is_allowed(dave.principal, "codecommit:GetRepository", repository.arn + "-not")
