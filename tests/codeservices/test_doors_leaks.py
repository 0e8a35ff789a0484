"""What the console's doors must not give away on the side: that a thing exists, what is in a form, another's."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from codeservices import registry
from tests import factories
from tests.codeservices.behind_doors import (
    TOKEN,
    body,
    changed,
    denied_action,
    finished_build,
    state,
)
from tests.codeservices.test_doors import CLOSED, CONSOLE, NOT_ABOUT_THEIR_FIRST_ARGUMENT, PUBLIC, address
from tests.codeservices.worlds import LastingWorld, World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def world(lasting_world: LastingWorld, undrained: None, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(registry, "health_checks", [])
    return lasting_world.begin()


def test_what_is_hidden_looks_the_same_as_what_does_not_exist(world: World):
    """To an outsider: same status, same words, but for the name that was asked for."""
    carol = world.browser(world.people["carol"])
    for name, door in CONSOLE.items():
        if not door.args or door.get == PUBLIC or name in NOT_ABOUT_THEIR_FIRST_ARGUMENT:
            continue
        method = "get" if door.get != CLOSED else "post"
        answers = []
        for first in (door.args[0], door.args[0].upper(), "nothing"):
            rest = [world.names.get(one, one) for one in door.args[1:]]
            form = {**door.form, "confirm_name": first, "csrfmiddlewaretoken": TOKEN}
            path = reverse(name, args=[first, *rest]) + door.query
            answer = getattr(carol, method)(path, form if method == "post" else None)
            told = body(answer).partition("is not authorized to perform")[2].partition("because")[0]
            assert first in told, (name, first, told)
            answers.append((answer.status_code, told.replace(first, "…")))
        assert len(set(answers)) == 1, (name, answers)


def test_a_thing_is_found_under_its_own_parent_alone(world: World):
    other = factories.project("other", repository_name=None, buildspec="version: 0.2\n")
    build = finished_build(other, 7)
    repository = factories.repository("second")
    alice = world.browser(world.people["alice"])
    foreign = world.names
    for path in (
        "/projects/hush-build/builds/7/",
        "/projects/hush-build/builds/7/log",
        "/projects/hush-build/builds/7/artifacts",
        f"/projects/hush-build/builds/1/artifacts/{build.artifacts.get().pk}",
        f"/projects/hush-build/builds/1/artifacts/{build.artifacts.get().pk}/folder/dist",
        f"/projects/hush-build/builds/1/artifacts/{build.artifacts.get().pk}/file/dist/demo.whl",
        f"/repositories/second/commit/{foreign['oid']}",
        "/repositories/second/raw/main/src/app.py",
        f"/repositories/second/blame/{foreign['oid']}/src/app.py",
        f"/repositories/second/archive/{foreign['oid']}.zip",
        f"/deleted-repositories/hush/{foreign['gone_id']}/",
        f"/deleted-repositories/second/{repository.repository_id}/",
        "/repositories/second/triggers/ring/",
        f"/repositories/second/triggers/ring/deliveries/{foreign['told_id']}",
        f"/repositories/hush/triggers/hook/deliveries/{foreign['told_id']}",
    ):
        assert alice.get(path).status_code == 404, path
    before = state()
    for path in (
        f"/iam/users/erna/access-keys/{foreign['key_id']}",
        f"/iam/users/erna/git-credentials/{foreign['credential_id']}",
        f"/iam/users/erna/ssh-keys/{foreign['ssh_key_id']}",
        "/iam/users/erna/inline/inline/delete",
        "/projects/hush-build/builds/7/stop",
        "/projects/other/builds/1/retry",
        f"/repositories/{repository.name}/triggers/ring/delete",
        f"/deleted-repositories/hush/{foreign['gone_id']}/purge",
        f"/deleted-repositories/hush/{foreign['gone_id']}/restore",
        f"/repositories/{repository.name}/triggers/ring/test",
        f"/repositories/{repository.name}/triggers/ring/deliveries/{foreign['told_id']}/redeliver",
        f"/repositories/hush/triggers/hook/deliveries/{foreign['told_id']}/redeliver",
    ):
        for change in ("Inactive", "delete", "reset"):
            form = {"change": change, "confirm_name": foreign["key_id"], "csrfmiddlewaretoken": TOKEN}
            assert alice.post(path, form).status_code in (400, 404), path
    assert not changed(before)


def test_no_page_may_be_kept_by_a_shared_cache(world: World):
    alice = world.browser(world.people["alice"])
    for name, door in CONSOLE.items():
        if door.get not in (CLOSED, PUBLIC) and name != "builds:build_events":
            policy = alice.get(address(name, door, world))["Cache-Control"]
            assert "private" in policy or "no-store" in policy, name
    assert "no-store" in alice.get("/me/credentials/")["Cache-Control"]
    assert "no-store" in alice.get("/iam/users/dora/credentials")["Cache-Control"]


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


def test_a_form_that_is_wrong_shows_no_outsider_what_is_in_it(world: World):
    carol = world.browser(world.people["carol"])
    for path in ("/iam/users/new/", "/iam/policies/new/", "/projects/new/", "/iam/groups/"):
        answer = carol.post(path, {"csrfmiddlewaretoken": TOKEN})
        assert denied_action(answer), path
        assert "ours" not in body(answer) and "codebuild-service-role" not in body(answer), path
