"""Protecting branches: the statement binds whom it is meant for and nobody else, and locks nobody out."""

from __future__ import annotations

import json

import pytest

from codeservices.errors import Conflict
from codeservices.iam import policies
from codeservices.iam.authorize import is_allowed
from codeservices.iam.models import Group, Policy, User
from repos import protection, provision
from repos.access import on_ref
from repos.git import refs
from repos.models import Repository
from tests import factories, gitrepo
from tests.fixtures.people import signed_in

PAGE = "/repositories/demo/branches/protect"
TAKE_AWAY = "/repositories/demo/branches/unprotect"


@pytest.fixture
def demo(db) -> Repository:
    repository = factories.repository("demo")
    oid = gitrepo.commit(repository.git, {"a": "1"})
    gitrepo.update_ref(repository.git, "refs/heads/side", oid)
    return repository


@pytest.fixture
def dora(db) -> User:
    """In the group “team”, may do everything with repositories."""
    user = factories.user("dora", "AWSCodeCommitFullAccess")
    user.groups.add(Group.objects.create(name="team"))
    return user


def may(user: User, action: str, branch: str, repository: str = "demo") -> bool:
    arn = Repository.objects.get(name=repository).arn
    return is_allowed(user.principal, f"codecommit:{action}", arn, on_ref(refs.HEADS + branch))


@pytest.mark.parametrize("branch", ["main", "feature/a", "é", "a${$}b", "caf\udce9", "$"])
def test_all_that_moves_the_branch_is_denied_and_nothing_else(dora, demo, branch):
    other = factories.repository("other")
    alice = factories.user("root", "AdministratorAccess")
    protection.protect(alice.principal, demo, branch, groups=["team"], users=[])
    for action in (*protection.CHANGES, *protection.MERGES):
        name = action.removeprefix("codecommit:")
        assert not may(dora, name, branch), name
        assert may(dora, name, f"{branch}2") and may(dora, name, "x") and may(alice, name, branch), name
        assert may(dora, name, branch, other.name)
    # A push is first authorized before its refs are known.
    assert is_allowed(dora.principal, "codecommit:GitPush", demo.arn)
    assert may(dora, "GetBranch", branch) and may(dora, "GitPull", branch)


@pytest.mark.parametrize("branch", ["main", "feature/a", "a${$}b", "caf\udce9"])
def test_a_protection_follows_its_repository_to_a_new_name(alice, dora, demo, branch):
    policy = protection.protect(alice.principal, demo, branch, groups=["team"], users=[])
    provision.rename_repository(alice.principal, "demo", "shop")
    assert not may(dora, "GitPush", branch, "shop") and may(dora, "GitPush", "x", "shop")
    shop = Repository.objects.get(name="shop")
    told = protection.protections(shop, [branch])[branch]
    assert (told.policy.pk, told.groups, told.is_changed) == (policy.pk, ("team",), False)
    assert told.policy.description == f"Protects the branch {refs.shown(branch)} of shop."
    assert factories.repository("demo") and may(dora, "GitPush", branch, "demo")


def test_an_edited_protection_follows_with_what_was_edited(alice, dora, demo):
    policy = protection.protect(alice.principal, demo, "main", groups=["team"], users=[])
    document = json.loads(policy.document)
    document["Statement"][0]["Condition"] = {"StringLike": {"codecommit:References": ["refs/heads/*"]}}
    policies.create_version(alice.principal, policy.arn, json.dumps(document), set_as_default=True)
    provision.rename_repository(alice.principal, "demo", "shop")
    assert not may(dora, "GitPush", "any", "shop")
    assert protection.protections(Repository.objects.get(name="shop"), ["main"])["main"].is_changed


def test_no_rename_where_an_earlier_repository_left_a_protection(alice, demo):
    protection.protect(
        alice.principal, factories.repository("shop"), "main", groups=[], users=["alice"], binds_oneself=True
    )
    Repository.objects.get(name="shop").delete()
    protection.protect(alice.principal, demo, "main", groups=[], users=["alice"], binds_oneself=True)
    with pytest.raises(Conflict, match="an earlier repository called shop has left"):
        provision.rename_repository(alice.principal, "demo", "shop")
    assert Repository.objects.get().name == "demo"


def test_merges_may_be_left_to_them(alice, dora, demo):
    protection.protect(alice.principal, demo, "main", groups=["team"], users=[], allows_merges=True)
    assert may(dora, "MergeBranchesBySquash", "main") and not may(dora, "GitPush", "main")
    protection.protect(alice.principal, demo, "main", groups=["team"], users=[])
    assert not may(dora, "MergeBranchesBySquash", "main")
    assert protection.protections(demo, ["main"])["main"].policy.versions.count() == 2


def test_whom_it_binds_is_what_was_said_last(alice, dora, demo):
    erin = factories.user("erin", "AWSCodeCommitFullAccess")
    protection.protect(alice.principal, demo, "main", groups=["TEAM"], users=["erin"])
    assert not may(dora, "GitPush", "main") and not may(erin, "GitPush", "main")
    protection.protect(alice.principal, demo, "main", groups=[], users=["Erin"])
    assert may(dora, "GitPush", "main") and not may(erin, "GitPush", "main")
    found = protection.protections(demo, ["main", "side"])
    assert list(found) == ["main"] and (found["main"].groups, found["main"].users) == ((), ("erin",))
    protection.unprotect(alice.principal, demo, "main")
    assert may(erin, "GitPush", "main") and not Policy.objects.filter(path=protection.PATH).exists()


def test_nothing_is_half_done(alice, dora, demo):
    erin = factories.user("erin", document=factories.allow("iam:CreatePolicy", "iam:Get*", "codecommit:*"))
    for principal, groups, users in ((alice.principal, ["team", "absent"], []), (erin.principal, ["team"], [])):
        with pytest.raises(Exception, match="absent|AttachGroupPolicy"):
            protection.protect(principal, demo, "main", groups=groups, users=users)
        assert not Policy.objects.filter(path=protection.PATH).exists()


def test_nobody_binds_themselves_without_saying_so(alice_client, alice, dora, demo):
    alice.groups.add(Group.objects.get(name="team"))
    for form in ({"groups": "team"}, {"users": "ALICE"}):
        answer = alice_client.post(PAGE, {"branch": "main", **form})
        assert answer.status_code == 400
        assert "This would keep you, too, from changing “main”." in answer.content.decode()
    assert alice_client.post(PAGE, {"branch": "main", "groups": "team", "binds_oneself": "on"}).status_code == 302
    assert not may(alice, "GitPush", "main")
    # The way back stays open.
    assert alice_client.post(TAKE_AWAY, {"branch": "main", "confirm_name": "main"}).status_code == 302
    assert may(alice, "GitPush", "main")


def test_the_page_shows_the_statement_and_writes_it(alice_client, dora, demo):
    page = alice_client.get(PAGE, {"branch": "main"}).content.decode()
    assert "codecommit:References" in page and "data-copy-from" in page and 'value="team"' in page
    answer = alice_client.post(PAGE, {"branch": "main", "groups": "team"}, follow=True)
    assert "Branch main is protected." in answer.content.decode()
    [row] = [row for row in answer.context["rows"] if row.name == "main"]
    assert row.protection is not None and row.protection.groups == ("team",)
    written = json.loads(row.protection.policy.document)["Statement"][0]
    assert written["Condition"]["StringEqualsIfExists"] == {"codecommit:References": ["refs/heads/main"]}
    page = alice_client.get(PAGE, {"branch": "main"}).content.decode()
    assert "/iam/groups/team" in page and 'value="team" ' in page
    for form, sentence in (
        ({"branch": "main"}, "choose at least one group or user"),
        ({"branch": "main", "users": "nobody-there"}, "nobody-there"),
        ({"branch": "main", "groups": "absent"}, "absent"),
        ({"branch": "a..b", "groups": "team"}, "can’t name a branch|can&#x27;t name a branch"),
    ):
        answer = alice_client.post(PAGE, form)
        assert answer.status_code in (400, 404)
        assert any(one in answer.content.decode() for one in sentence.split("|")), form


def test_an_edited_policy_is_told_and_put_right(alice, alice_client, dora, demo):
    protection.protect(alice.principal, demo, "main", groups=["team"], users=[])
    arn = protection.protections(demo, ["main"])["main"].policy.arn
    policies.create_version(alice.principal, arn, json.dumps(factories.allow("s3:*")), set_as_default=True)
    assert "policy edited" in alice_client.get("/repositories/demo/branches").content.decode()
    assert "Somebody has edited the policy" in alice_client.get(PAGE, {"branch": "main"}).content.decode()
    alice_client.post(PAGE, {"branch": "main", "groups": "team"})
    assert not protection.protections(demo, ["main"])["main"].is_changed and not may(dora, "GitPush", "main")


def test_a_policy_that_only_looks_like_one_protects_nothing(alice, demo):
    name = protection.policy_name("demo", "main")
    policies.create_policy(alice.principal, name, protection.document(demo.arn, "main", allows_merges=False))
    assert protection.protections(demo, ["main"]) == {}


def test_names_of_policies_are_short_and_of_their_own():
    names = {
        protection.policy_name(*pair) for pair in (("a", "b-c"), ("a-b", "c"), ("a", "b/c"), ("x" * 100, "é" * 200))
    }
    assert len(names) == 4 and all(len(name) <= 128 and name.isascii() for name in names)


def test_it_is_taken_away_when_its_name_is_typed(alice, alice_client, dora, demo):
    protection.protect(alice.principal, demo, "main", groups=["team"], users=["dora"])
    assert alice_client.post(TAKE_AWAY, {"branch": "main", "confirm_name": "mian"}).status_code == 400
    assert not may(dora, "GitPush", "main")
    assert alice_client.post(TAKE_AWAY, {"branch": "main", "confirm_name": "main"}).status_code == 302
    assert may(dora, "GitPush", "main")
    assert alice_client.post(TAKE_AWAY, {"branch": "main", "confirm_name": "main"}).status_code == 404


def test_readers_see_the_statement_outsiders_do_not_and_neither_writes_it(bob_client, carol_client, client, dora, demo):
    page = bob_client.get(PAGE, {"branch": "main"})
    assert page.status_code == 200 and '<form class="form"' not in page.content.decode()
    assert "codecommit:References" in page.content.decode()
    assert carol_client.get(PAGE, {"branch": "main"}).status_code == 403
    assert client.get(PAGE, {"branch": "main"})["Location"].startswith("/sign-in/")
    for who, action in ((bob_client, "iam:CreatePolicy"), (carol_client, "codecommit:ListBranches")):
        answer = who.post(PAGE, {"branch": "main", "groups": "team"})
        assert answer.status_code == 403 and action in answer.content.decode()
        assert who.post(TAKE_AWAY, {"branch": "main", "confirm_name": "main"}).status_code == 403
    assert bob_client.get(TAKE_AWAY).status_code == 405


def test_who_may_not_list_groups_types_their_names(client, dora, demo):
    erin = factories.user("erin", document=factories.allow("iam:CreatePolicy", "iam:Attach*", "codecommit:*"))
    client.force_login(erin, backend="codeservices.iam.backends.SessionBackend")
    assert 'type="text" name="groups"' in client.get(PAGE, {"branch": "main"}).content.decode()
    assert client.post(PAGE, {"branch": "main", "groups": "team, "}).status_code == 302
    assert not may(dora, "GitPush", "main")


def test_whom_it_binds_is_shown_to_those_alone_who_may_see_that(alice, dora, demo):
    protection.protect(alice.principal, demo, "main", groups=["team"], users=["dora"])
    allowed = factories.allow("codecommit:*", "iam:CreatePolicy", "iam:CreatePolicyVersion")
    page = signed_in(factories.user("eve", document=allowed)).get(PAGE, {"branch": "main"}).content.decode()
    assert "iam:ListEntitiesForPolicy" in page
    assert "dora" not in page and "team" not in page
    assert 'name="users"' not in page
    allowed = factories.allow("codecommit:*", "iam:CreatePolicy", "iam:ListEntitiesForPolicy")
    page = signed_in(factories.user("finn", document=allowed)).get(PAGE, {"branch": "main"}).content.decode()
    assert 'name="users" value="dora"' in page and "team" in page
