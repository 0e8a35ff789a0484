"""The policy simulator, and the way to it from a denial."""

from __future__ import annotations

import json

import pytest

from codeservices.iam.managed_policies import SERVICE_ROLE_NAME
from codeservices.iam.models import Group, Policy, Role
from codeservices.iam.starting_policies import starting_policies
from tests import factories
from tests.factories import allow
from tests.fixtures.people import signed_in

pytestmark = pytest.mark.django_db

PAGE = "/iam/simulator/"
DEMO = "arn:aws:codecommit:us-east-1:123456789012:demo"


@pytest.fixture
def protected(bob) -> Policy:
    """bob may push, but not to main."""
    start = next(one for one in starting_policies("us-east-1", "123456789012") if one.key == "protect-branch")
    document = start.document.replace("MY-REPOSITORY", "demo")
    policy = Policy.objects.create_with_document(document, name="protect-main")
    team = Group.objects.create(name="team")
    team.policies.add(policy, Policy.objects.get(name="AWSCodeCommitPowerUser"))
    bob.groups.add(team)
    return policy


@pytest.fixture
def role_with_inline(db) -> Role:
    role = Role.objects.get(name=SERVICE_ROLE_NAME)
    role.inline_policies.create(name="stop", document=json.dumps(allow("codebuild:StopBuild")))
    return role


def ask(client, **fields):
    answer = client.get(PAGE, fields)
    return answer, answer.content.decode()


def decisions(answer) -> list[str]:
    return [one.result.decision.why for one in answer.context["answers"]]


def test_several_actions_on_several_resources_are_answered_at_once(alice_client, bob):
    answer, page = ask(
        alice_client, principal="user/bob", action=["codecommit:GitPull", "iam:CreateUser"], resource=f"{DEMO} *"
    )
    assert decisions(answer) == ["allowed", "allowed", "nothing allows it", "nothing allows it"]
    assert "2 of 4 allowed" in page


def test_a_branch_is_protected_by_its_reference_and_the_statement_is_shown_marked(alice_client, protected):
    question = {"principal": "user/bob", "action": "codecommit:GitPush", "resource": DEMO}
    for ref, why in (("refs/heads/main", "explicit deny"), ("refs/heads/topic", "allowed")):
        answer, page = ask(alice_client, **question, context_key="codecommit:References", context_value=ref)
        assert decisions(answer) == [why]
        assert "data-marked" in page
    [deciding] = ask(alice_client, **question, context_key="codecommit:References", context_value="refs/heads/main")[
        0
    ].context["deciding"]
    assert deciding["source"].url == "/iam/policies/customer/protect-main/"
    assert [line.is_marked for line in deciding["lines"]].count(True) > 10


def test_the_keys_that_the_policies_ask_for_are_offered(alice_client, protected):
    answer, page = ask(alice_client, user="bob")
    assert answer.context["key_rows"][0][0] == "codecommit:References"
    assert 'value="codecommit:References"' in page


@pytest.mark.parametrize("question", [{"group": "team"}, {"principal": "group/team"}])
def test_a_group_is_asked_about_like_a_user(alice_client, protected, question):
    answer, _ = ask(alice_client, **question, action="codecommit:GitPull", resource=DEMO)
    assert decisions(answer) == ["allowed"]


def test_a_role_is_asked_about_with_its_inline_policies(alice_client, role_with_inline):
    answer, _ = ask(alice_client, role=role_with_inline.name, action="s3:PutObject codebuild:StopBuild")
    assert decisions(answer) == ["allowed", "allowed"]
    assert answer.context["answers"][1].source.title == f"inline policy role/{role_with_inline.name}/stop"


def test_a_document_is_asked_about_as_if_it_were_attached(alice_client):
    form = {"document": json.dumps(allow("codecommit:GitPull")), "action": "codecommit:GitPull,codecommit:GitPush"}
    assert decisions(alice_client.post(PAGE, form)) == ["allowed", "nothing allows it"]
    faulty = alice_client.post(PAGE, {"document": '{"Statement": 1}', "action": "codecommit:GitPull"})
    assert faulty.status_code == 400 and "Line 1" in faulty.content.decode()


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"principal": "robot/x", "action": "a:B"}, 400, "write user/NAME"),
        ({"principal": "user/bob", "action": "GitPush"}, 400, "is no action"),
        ({"principal": "user/bob", "action": "a:B", "resource": "demo"}, 400, "is no resource"),
        ({"principal": "user/nobody", "action": "a:B"}, 404, "cannot be found"),
        ({"principal": "user/bob", "action": " ".join(f"a:B{n}" for n in range(401))}, 400, "Tick fewer"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_words(alice_client, bob, fields, status, sentence):
    answer, page = ask(alice_client, **fields)
    assert answer.status_code == status and sentence in page


def test_somebody_locked_out_may_do_nothing(alice_client, bob):
    bob.is_active = False
    bob.save()
    answer, page = ask(alice_client, user="bob", action="codecommit:GitPull")
    assert decisions(answer) == ["nothing allows it"] and "is locked out" in page


def test_the_actions_that_exist_here_are_offered(alice_client):
    _, page = ask(alice_client)
    for action in ("codecommit:GitPush", "codebuild:StartBuild", "iam:PassRole", "iam:SimulatePrincipalPolicy"):
        assert f'value="{action}"' in page, action


def test_a_denial_leads_to_the_simulator_for_those_who_may_ask_it(carol_client):
    rita = factories.user("rita", "IAMReadOnlyAccess")
    client = signed_in(rita)
    denied = client.get("/iam/users/new/").content.decode()
    link = "/iam/simulator/?user=rita&amp;action=iam%3ACreateUser"
    assert link in denied
    query = denied.partition(f'href="{PAGE}?')[2].partition('"')[0]
    answer = client.get(f"{PAGE}?{query.replace('&amp;', '&')}")
    assert answer.status_code == 200 and decisions(answer) == ["nothing allows it"]
    assert PAGE not in carol_client.get("/iam/users/new/").content.decode()
