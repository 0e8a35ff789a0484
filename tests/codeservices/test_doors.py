"""Every door of the product, and what opens it.

CONSOLE has a line for each URL and CALLS one for each API operation: the IAM action that decides, or PUBLIC or
SIGNED_IN. A new URL or operation without a line fails here. Behind each door stands the same world: the repository
“hush”, its project with one build, and the people of tests/fixtures/people.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from django.apps import apps
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from builds.models import Build, Project, Status
from codeservices import registry
from codeservices.audit.models import Event, Outcome
from codeservices.aws import dispatch, model
from codeservices.aws.json11 import CONTENT_TYPE as JSON
from codeservices.audit.record import is_read
from codeservices.iam import credentials
from codeservices.iam.authorize import is_allowed
from codeservices.iam.managed_policies import SERVICE_ROLE_NAME
from codeservices.iam.models import AccessKey, GitCredential, Policy, Role, User
from repos.models import Repository
from tests import factories, gitrepo
from tests.builds import logged

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

PUBLIC = "public"
SIGNED_IN = "signed in"
CLOSED = "method not allowed"
TOKEN = "a" * 32
READ_ONLY = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
DOCUMENT = '{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}'


@dataclass(frozen=True)
class Door:
    """What a GET and a POST of one URL need, the URL's arguments (as `World.names` has them), and a form that is right."""

    get: str = CLOSED
    post: str = CLOSED
    args: tuple[str, ...] = ()
    form: dict[str, str] = field(default_factory=dict)
    query: str = ""


REPOSITORY, PROJECT, BUILD = ("hush",), ("hush-build",), ("hush-build", "1")
USER, GROUP, KEY, CREDENTIAL = ("dora",), ("team",), ("dora", "key_id"), ("dora", "credential_id")
LOCATION = "https://127.0.0.1:8443/v1/repos/hush"

CONSOLE = {
    "healthz": Door(PUBLIC),
    "readyz": Door(PUBLIC),
    "metrics": Door(PUBLIC),
    "console:dashboard": Door(SIGNED_IN),
    "console:search": Door(SIGNED_IN, query="?q=hu"),
    "console:attention": Door(SIGNED_IN),
    "iam:sign_in": Door(PUBLIC, PUBLIC, form={"username": "alice", "password": "wrong"}),
    "iam:sign_out": Door(CLOSED, SIGNED_IN),
    "iam:my_credentials": Door(SIGNED_IN),
    "iam:change_password": Door(
        CLOSED, "iam:ChangePassword", form={"old_password": factories.PASSWORD, "new_password": "a new long password"}
    ),
    "iam:user_list": Door("iam:ListUsers"),
    "iam:user_create": Door("iam:CreateUser", "iam:CreateUser", form={"name": "erin"}),
    "iam:user": Door("iam:GetUser", args=USER),
    "iam:user_policies": Door(
        CLOSED, "iam:AttachUserPolicy", USER, {"change": "attach", "policy_arn": READ_ONLY}
    ),
    "iam:user_groups": Door(CLOSED, "iam:AddUserToGroup", USER, {"change": "add", "group": "team"}),
    "iam:user_active": Door(CLOSED, "iam:UpdateUser", USER, {"active": "no"}),
    "iam:user_password": Door(CLOSED, "iam:UpdateLoginProfile", USER, {"password": "a new long password"}),
    "iam:user_delete": Door(CLOSED, "iam:DeleteUser", ("erna",), {"confirm_name": "erna"}),
    "iam:git_credential_create": Door(CLOSED, "iam:CreateServiceSpecificCredential", USER),
    "iam:git_credential": Door(CLOSED, "iam:ResetServiceSpecificCredential", CREDENTIAL, {"change": "reset"}),
    "iam:access_key_create": Door(CLOSED, "iam:CreateAccessKey", USER),
    "iam:access_key": Door(CLOSED, "iam:UpdateAccessKey", KEY, {"change": "Inactive"}),
    "iam:group_list": Door("iam:ListGroups", "iam:CreateGroup", form={"name": "makers"}),
    "iam:group": Door("iam:GetGroup", args=GROUP),
    "iam:group_policies": Door(
        CLOSED, "iam:AttachGroupPolicy", GROUP, {"change": "attach", "policy_arn": READ_ONLY}
    ),
    "iam:group_members": Door(CLOSED, "iam:AddUserToGroup", GROUP, {"change": "add", "user": "dora"}),
    "iam:group_delete": Door(CLOSED, "iam:DeleteGroup", GROUP, {"confirm_name": "team"}),
    "iam:policy_list": Door("iam:ListPolicies"),
    "iam:policy_create": Door(
        "iam:CreatePolicy", "iam:CreatePolicy", form={"name": "closed", "document": DOCUMENT}
    ),
    "iam:policy_aws": Door("iam:GetPolicy", "iam:CreatePolicyVersion", ("IAMReadOnlyAccess",), {"document": DOCUMENT}),
    "iam:policy_customer": Door("iam:GetPolicy", "iam:CreatePolicyVersion", ("ours",), {"document": DOCUMENT}),
    "iam:policy_delete": Door(CLOSED, "iam:DeletePolicy", ("ours",), {"confirm_name": "ours"}),
    "iam:simulator": Door("iam:SimulatePrincipalPolicy", query="?user=dora&action=s3:GetObject&resource=*"),
    "audit:event_list": Door("cloudtrail:LookupEvents"),
    "audit:export": Door("cloudtrail:LookupEvents"),
    "audit:event": Door("cloudtrail:LookupEvents", args=("event_id",)),
    "repos:repository_list": Door("codecommit:ListRepositories"),
    "repos:repository_create": Door(SIGNED_IN, "codecommit:CreateRepository", form={"name": "loud"}),
    "repos:repository": Door("codecommit:GetRepository", args=REPOSITORY),
    "repos:browse": Door("codecommit:GetFolder", args=("hush", "main/src")),
    "repos:raw": Door("codecommit:GetFile", args=("hush", "main/src/app.py")),
    "repos:commit_list": Door("codecommit:GetCommitHistory", args=("hush", "main")),
    "repos:commit": Door("codecommit:GetCommit", args=("hush", "oid")),
    "repos:branch_list": Door("codecommit:ListBranches", args=REPOSITORY),
    "repos:tag_list": Door("codecommit:GetReferences", args=REPOSITORY),
    "repos:trigger_list": Door(
        "codecommit:GetRepositoryTriggers",
        "codecommit:PutRepositoryTriggers",
        REPOSITORY,
        {"name": "more", "project": "hush-build", "events": "createReference"},
    ),
    "repos:trigger_delete": Door(CLOSED, "codecommit:PutRepositoryTriggers", ("hush", "ring")),
    "repos:repository_settings": Door("codecommit:GetRepository", args=REPOSITORY),
    "repos:repository_describe": Door(
        CLOSED, "codecommit:UpdateRepositoryDescription", REPOSITORY, {"description": "Quiet."}
    ),
    "repos:repository_default_branch": Door(
        CLOSED, "codecommit:UpdateDefaultBranch", REPOSITORY, {"branch": "main"}
    ),
    "repos:repository_rename": Door(CLOSED, "codecommit:UpdateRepositoryName", REPOSITORY, {"name": "loud"}),
    "repos:repository_delete": Door(CLOSED, "codecommit:DeleteRepository", REPOSITORY, {"confirmation": "hush"}),
    "builds:project_list": Door("codebuild:ListProjects"),
    "builds:project_create": Door("codebuild:CreateProject", "codebuild:CreateProject"),
    "builds:project": Door("codebuild:BatchGetProjects", args=PROJECT),
    "builds:project_settings": Door("codebuild:UpdateProject", "codebuild:UpdateProject", PROJECT),
    "builds:project_delete": Door(CLOSED, "codebuild:DeleteProject", PROJECT, {"confirm": "hush-build"}),
    "builds:build_start": Door("codebuild:StartBuild", "codebuild:StartBuild", PROJECT),
    "builds:build_list": Door("codebuild:ListBuilds"),
    "builds:build_recent": Door("codebuild:ListBuilds"),
    "builds:build": Door("codebuild:BatchGetBuilds", args=BUILD),
    "builds:build_stop": Door(CLOSED, "codebuild:StopBuild", BUILD),
    "builds:build_retry": Door(CLOSED, "codebuild:RetryBuild", BUILD),
    "builds:build_events": Door("codebuild:BatchGetBuilds", args=BUILD),
    "builds:build_log": Door("codebuild:BatchGetBuilds", args=BUILD),
    "builds:artifact_list": Door("codebuild:BatchGetBuilds", args=BUILD),
    "builds:artifact_download": Door("codebuild:BatchGetBuilds", args=(*BUILD, "artifact_pk")),
}


# ---- the world behind the doors --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """The people by name, and what stands for an argument that is made anew in every test."""

    people: dict[str, User]
    names: dict[str, str]


@pytest.fixture
def world(alice: User, bob: User, carol: User, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(registry, "health_checks", [])
    dora = factories.user("dora")
    factories.user("erna")
    key, _ = credentials.issue_access_key(dora)
    credential, _ = credentials.issue_git_credential(dora)
    apps.get_model("iam", "Group").objects.create(name="team")
    Policy.objects.create(name="ours", document=DOCUMENT)
    repository = factories.repository("hush")
    with repository.git as git:
        oid = gitrepo.commit(git, {"src/app.py": "print()\n"})
    project = factories.project("hush-build", repository_name="hush")
    build = finished_build(project)
    repository.triggers.create(name="ring", destination_arn=project.arn, events=["all"], branches=[], position=0)
    event = Event.objects.create(event_name="Made", principal_kind="user", outcome=Outcome.SUCCESS)
    names = {
        "oid": oid,
        "key_id": key.access_key_id,
        "credential_id": credential.credential_id,
        "event_id": str(event.event_id),
        "artifact_pk": str(build.artifacts.get().pk),
        "build_id": build.api_id,
        "repository_arn": repository.arn,
        "role_arn": Role.objects.get(name=SERVICE_ROLE_NAME).arn,
    }
    return World({"alice": alice, "bob": bob, "carol": carol}, names)


def finished_build(project: Project, number: int = 1) -> Build:
    build = logged.running_build(
        project, number, status=Status.SUCCEEDED, ended_at=timezone.now(), is_log_complete=True, lease_expires_at=None
    )
    logged.artifact_of(build)
    return build


def state() -> dict[str, list[Any]]:
    """All rows of all tables but the audit trail and sessions; when a key was last used is no change either."""
    left_out = ("last_used_at", "last_used_service", "last_used_region")
    found = {}
    for each in apps.get_models(include_auto_created=True):
        if each._meta.label not in ("audit.Event", "sessions.Session"):
            names = [one.attname for one in each._meta.concrete_fields if one.attname not in left_out]
            found[each._meta.label] = list(each.objects.order_by("pk").values_list(*names))
    return found


def door_client(user: User | None) -> Client:
    """A browser that holds the CSRF cookie of TOKEN, with CSRF checks on."""
    client = Client(enforce_csrf_checks=True)
    if user is not None:
        client.force_login(user)
    client.cookies[settings.CSRF_COOKIE_NAME] = TOKEN
    return client


def address(name: str, door: Door, world: World) -> str:
    return reverse(name, args=[world.names.get(one, one) for one in door.args]) + door.query


def body(response: Any) -> str:
    return "" if response.streaming else response.content.decode()


def may(user: User, action: str) -> bool:
    """What the user's policies say of somebody else's things."""
    return is_allowed(user.principal, action, f"arn:aws:any:us-east-1:{settings.ACCOUNT_ID}:thing")


def is_denial(response: Any, action: str) -> bool:
    return response.status_code == 403 and f"is not authorized to perform: {action} on resource" in body(response)


# ---- the console -----------------------------------------------------------------------------------------------------


def url_names(resolver: Any = None, space: str = "") -> list[str]:
    """Every URL's name with its namespace; those of the admin panel are one."""
    found = []
    for each in (resolver or get_resolver("codeservices.urls")).url_patterns:
        if isinstance(each, URLResolver) and each.namespace != "admin":
            found += url_names(each, f"{space}{each.namespace}:" if each.namespace else space)
        elif isinstance(each, URLPattern) and not str(each.pattern).startswith("admin/"):
            assert each.name, f"the address {each.pattern} has no name"
            found.append(space + each.name)
    return found


def test_every_url_has_its_rule_here():
    assert sorted(url_names()) == sorted(CONSOLE)


@pytest.mark.parametrize("name", CONSOLE)
def test_a_url_opens_to_those_whom_its_rule_names(name: str, world: World):
    door = CONSOLE[name]
    path = address(name, door, world)
    before = state()
    for who in (None, *world.people.values()):
        client = door_client(who)
        for method in ("post", "put", "patch", "delete"):
            refused = client.generic(method, path)
            assert refused.status_code == 403 and "This form has expired" in body(refused), (who, method)
        check(client.get(path), door.get, who, path)
    assert state() == before, "a GET, or a request without a token, has changed something"
    form = {**door.form, "csrfmiddlewaretoken": TOKEN}
    for who in (None, world.people["carol"], world.people["bob"]):
        check(door_client(who).post(path, form), door.post, who, path)
        is_let_in = who is not None and (door.post == SIGNED_IN or may(who, door.post))
        assert is_let_in or state() == before, f"{who} has changed something"
    check(door_client(world.people["alice"]).post(path, form), door.post, world.people["alice"], path)


def check(response: Any, rule: str, who: User | None, path: str) -> None:
    """Whether an answer is what the rule says for this person."""
    if who is None and rule != PUBLIC:
        assert response.status_code == 302 and response["Location"].startswith("/sign-in/?next="), rule
    elif rule == CLOSED:
        assert response.status_code == 405
    elif rule in (PUBLIC, SIGNED_IN):
        assert response.status_code in (200, 302, 401)
        is_administrator = who is not None and who.name == "alice"
        assert is_administrator or (who is not None and who.name == "bob") or "hush" not in body(response)
    elif may(who, rule):
        assert response.status_code in (200, 302, 400) and "not authorized" not in body(response), body(response)
    else:
        assert is_denial(response, rule), (who, rule, response.status_code, body(response)[:2000])


def test_what_is_hidden_looks_the_same_as_what_does_not_exist(world: World):
    """To an outsider: same status, same words, but for the name that was asked for."""
    carol = door_client(world.people["carol"])
    for name, door in CONSOLE.items():
        if not door.args or door.args[0] in ("event_id", "IAMReadOnlyAccess"):
            continue
        method = "get" if door.get != CLOSED else "post"
        answers = []
        for first in (door.args[0], door.args[0].upper(), "nothing"):
            rest = [world.names.get(one, one) for one in door.args[1:]]
            form = {**door.form, "confirm_name": first, "csrfmiddlewaretoken": TOKEN}
            answer = getattr(carol, method)(reverse(name, args=[first, *rest]), form if method == "post" else None)
            told = body(answer).partition("is not authorized to perform")[2].partition("because")[0]
            assert first in told, (name, first, told)
            answers.append((answer.status_code, told.replace(first, "…")))
        assert len(set(answers)) == 1, (name, answers)


def admin_addresses() -> list[str]:
    """Every page of the admin panel."""
    found = []

    def walk(resolver: Any, prefix: str) -> None:
        for each in resolver.url_patterns:
            route = prefix + str(each.pattern).replace("<path:object_id>", "1").replace("<path:url>", "x/")
            route = route.replace("<int:content_type_id>", "1")
            if isinstance(each, URLResolver):
                walk(each, route)
            elif "(?P" not in route:
                found.append(f"/{route}")

    top = next(one for one in get_resolver("codeservices.urls").url_patterns if getattr(one, "namespace", "") == "admin")
    walk(top, "admin/")
    return sorted(set(found) - {"/admin/login/", "/admin/password_change/"})


def test_the_admin_panel_is_closed_to_those_who_may_not_use_it(world: World):
    addresses = admin_addresses()
    assert len(addresses) > 40 and "/admin/iam/user/1/delete/" in addresses
    before = state()
    for name in ("carol", "bob"):
        client = door_client(world.people[name])
        for path in addresses:
            for answer in (client.get(path), client.post(path, {"csrfmiddlewaretoken": TOKEN})):
                assert answer.status_code == 302, path
                assert answer["Location"] in ("/admin/", f"/admin/login/?next={path}"), path
        told = client.get("/admin/login/?next=/admin/")
        assert is_denial(told, "codeservices:UseAdminPanel")
    assert state() == before
    assert Event.objects.filter(outcome=Outcome.DENIED, action="codeservices:UseAdminPanel").count() == 2
    assert door_client(None).get("/admin/login/?next=/admin/")["Location"] == "/sign-in/?next=%2Fadmin%2F"
    alice = door_client(world.people["alice"])
    for path in addresses:
        assert alice.get(path).status_code in (200, 302, 404, 405), path
        assert alice.post(path).status_code == 403, path
    assert state() == before


def test_the_admin_panel_shows_no_secret(world: World):
    project = Project.objects.get()
    project.environment["environmentVariables"] = [{"name": "KEY", "value": "hunter2-value", "type": "PLAINTEXT"}]
    project.save()
    Build.objects.update(environment=project.environment)
    secrets = [AccessKey.objects.get().encrypted_secret, GitCredential.objects.get().password_hash, "hunter2-value"]
    secrets += User.objects.values_list("password", flat=True)
    alice = door_client(world.people["alice"])
    for each in (AccessKey, GitCredential, User, Project, Build):
        place = f"admin:{each._meta.app_label}_{each._meta.model_name}"
        for path in (reverse(f"{place}_changelist"), reverse(f"{place}_change", args=[each.objects.first().pk])):
            page = body(alice.get(path))
            assert page and not [one for one in secrets if one in page], path


def test_a_change_in_the_admin_panel_is_recorded_under_its_action(world: World):
    key = AccessKey.objects.get()
    alice = door_client(world.people["alice"])
    path = reverse("admin:iam_accesskey_change", args=[key.pk])
    assert alice.post(path, {"status": "Inactive", "csrfmiddlewaretoken": TOKEN}).status_code == 302
    event = Event.objects.get(event_name="UpdateAccessKey")
    assert (event.principal_name, event.resource_arn, event.outcome) == ("alice", key.user.arn, Outcome.SUCCESS)


def test_a_thing_is_found_under_its_own_parent_alone(world: World):
    other = factories.project("other", repository_name=None, buildspec="version: 0.2\n")
    build = finished_build(other, 7)
    repository = factories.repository("second")
    alice = door_client(world.people["alice"])
    foreign = world.names
    for path in (
        "/projects/hush-build/builds/7/",
        "/projects/hush-build/builds/7/log",
        "/projects/hush-build/builds/7/artifacts",
        f"/projects/hush-build/builds/1/artifacts/{build.artifacts.get().pk}",
        f"/repositories/second/commit/{foreign['oid']}",
        "/repositories/second/raw/main/src/app.py",
    ):
        assert alice.get(path).status_code == 404, path
    before = state()
    for path in (
        f"/iam/users/erna/access-keys/{foreign['key_id']}",
        f"/iam/users/erna/git-credentials/{foreign['credential_id']}",
        "/projects/hush-build/builds/7/stop",
        "/projects/other/builds/1/retry",
        f"/repositories/{repository.name}/triggers/ring/delete",
    ):
        for change in ("Inactive", "delete", "reset"):
            form = {"change": change, "confirm_name": foreign["key_id"], "csrfmiddlewaretoken": TOKEN}
            assert alice.post(path, form).status_code in (400, 404), path
    assert state() == before


def test_no_page_may_be_kept_by_a_shared_cache(world: World):
    alice = door_client(world.people["alice"])
    for name, door in CONSOLE.items():
        if door.get not in (CLOSED, PUBLIC) and name != "builds:build_events":
            policy = alice.get(address(name, door, world))["Cache-Control"]
            assert "private" in policy or "no-store" in policy, name
    assert "no-store" in alice.get("/me/credentials/")["Cache-Control"]
    assert "no-store" in alice.get("/iam/users/dora/")["Cache-Control"]


def test_signing_in_begins_a_new_session_and_goes_nowhere_else(world: World):
    client = Client()
    client.get("/sign-in/")
    client.cookies[settings.SESSION_COOKIE_NAME] = "chosen-by-somebody-else"
    form = {"username": "bob", "password": factories.PASSWORD, "next": "https://evil.example/"}
    answer = client.post("/sign-in/", form)
    assert answer["Location"] == "/"
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != "chosen-by-somebody-else"
    for target in ("//evil.example", "/\\evil.example", "javascript:alert(1)", "http:///evil.example"):
        assert Client().post("/sign-in/", {**form, "next": target})["Location"] == "/"


# ---- the API ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """The action that decides an operation, and parameters that are right; values are looked up in `World.names`."""

    action: str
    params: dict[str, Any] = field(default_factory=dict)


HUSH, HUSH_BUILD = {"repositoryName": "hush"}, {"projectName": "hush-build"}
DORA = {"UserName": "dora"}
NEW_PROJECT = {
    "name": "made",
    "source": {"type": "CODECOMMIT", "location": LOCATION},
    "artifacts": {"type": "NO_ARTIFACTS"},
    "environment": {
        "type": "LINUX_CONTAINER",
        "image": "codeservices/base",
        "computeType": "BUILD_GENERAL1_SMALL",
    },
    "serviceRole": "role_arn",
}
RING = {"name": "ring", "destinationArn": "arn:aws:sns:us-east-1:123456789012:topic", "events": ["all"]}

CALLS = {
    "codebuild:BatchGetBuilds": Call("codebuild:BatchGetBuilds", {"ids": ["build_id"]}),
    "codebuild:BatchGetProjects": Call("codebuild:BatchGetProjects", {"names": ["hush-build"]}),
    "codebuild:CreateProject": Call("codebuild:CreateProject", NEW_PROJECT),
    "codebuild:DeleteProject": Call("codebuild:DeleteProject", {"name": "hush-build"}),
    "codebuild:ListBuilds": Call("codebuild:ListBuilds"),
    "codebuild:ListBuildsForProject": Call("codebuild:ListBuildsForProject", HUSH_BUILD),
    "codebuild:ListCuratedEnvironmentImages": Call("codebuild:ListCuratedEnvironmentImages"),
    "codebuild:ListProjects": Call("codebuild:ListProjects"),
    "codebuild:RetryBuild": Call("codebuild:RetryBuild", {"id": "build_id"}),
    "codebuild:StartBuild": Call("codebuild:StartBuild", HUSH_BUILD),
    "codebuild:StopBuild": Call("codebuild:StopBuild", {"id": "build_id"}),
    "codebuild:UpdateProject": Call("codebuild:UpdateProject", {"name": "hush-build", "description": "Quiet."}),
    "codecommit:BatchGetRepositories": Call("codecommit:BatchGetRepositories", {"repositoryNames": ["hush"]}),
    "codecommit:CreateRepository": Call("codecommit:CreateRepository", {"repositoryName": "loud"}),
    "codecommit:DeleteRepository": Call("codecommit:DeleteRepository", HUSH),
    "codecommit:GetBranch": Call("codecommit:GetBranch", {**HUSH, "branchName": "main"}),
    "codecommit:GetCommit": Call("codecommit:GetCommit", {**HUSH, "commitId": "oid"}),
    "codecommit:GetRepository": Call("codecommit:GetRepository", HUSH),
    "codecommit:GetRepositoryTriggers": Call("codecommit:GetRepositoryTriggers", HUSH),
    "codecommit:ListBranches": Call("codecommit:ListBranches", HUSH),
    "codecommit:ListRepositories": Call("codecommit:ListRepositories"),
    "codecommit:ListTagsForResource": Call("codecommit:ListTagsForResource", {"resourceArn": "repository_arn"}),
    "codecommit:PutRepositoryTriggers": Call("codecommit:PutRepositoryTriggers", {**HUSH, "triggers": [RING]}),
    "codecommit:TagResource": Call("codecommit:TagResource", {"resourceArn": "repository_arn", "tags": {"a": "b"}}),
    "codecommit:UntagResource": Call("codecommit:UntagResource", {"resourceArn": "repository_arn", "tagKeys": ["a"]}),
    "codecommit:UpdateDefaultBranch": Call("codecommit:UpdateDefaultBranch", {**HUSH, "defaultBranchName": "main"}),
    "codecommit:UpdateRepositoryDescription": Call("codecommit:UpdateRepositoryDescription", HUSH),
    "codecommit:UpdateRepositoryName": Call("codecommit:UpdateRepositoryName", {"oldName": "hush", "newName": "loud"}),
    "iam:AttachUserPolicy": Call("iam:AttachUserPolicy", {**DORA, "PolicyArn": READ_ONLY}),
    "iam:CreateAccessKey": Call("iam:CreateAccessKey", DORA),
    "iam:CreateServiceSpecificCredential": Call(
        "iam:CreateServiceSpecificCredential", {**DORA, "ServiceName": "codecommit.amazonaws.com"}
    ),
    "iam:CreateUser": Call("iam:CreateUser", {"UserName": "erin"}),
    "iam:DeleteAccessKey": Call("iam:DeleteAccessKey", {**DORA, "AccessKeyId": "key_id"}),
    "iam:DeleteServiceSpecificCredential": Call(
        "iam:DeleteServiceSpecificCredential", {**DORA, "ServiceSpecificCredentialId": "credential_id"}
    ),
    "iam:DeleteUser": Call("iam:DeleteUser", {"UserName": "erna"}),
    "iam:DetachUserPolicy": Call("iam:DetachUserPolicy", {"UserName": "bob", "PolicyArn": "readers_arn"}),
    "iam:GetUser": Call("iam:GetUser", DORA),
    "iam:ListAccessKeys": Call("iam:ListAccessKeys", DORA),
    "iam:ListAttachedUserPolicies": Call("iam:ListAttachedUserPolicies", DORA),
    "iam:ListServiceSpecificCredentials": Call("iam:ListServiceSpecificCredentials", DORA),
    "iam:ListUsers": Call("iam:ListUsers"),
    "iam:ResetServiceSpecificCredential": Call(
        "iam:ResetServiceSpecificCredential", {**DORA, "ServiceSpecificCredentialId": "credential_id"}
    ),
    "iam:UpdateAccessKey": Call("iam:UpdateAccessKey", {**DORA, "AccessKeyId": "key_id", "Status": "Inactive"}),
    "iam:UpdateServiceSpecificCredential": Call(
        "iam:UpdateServiceSpecificCredential",
        {**DORA, "ServiceSpecificCredentialId": "credential_id", "Status": "Inactive"},
    ),
    "sts:GetCallerIdentity": Call(SIGNED_IN),
}
