"""The pages of imports and mirrors: each from what works down to the wrong method."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from codeservices.audit.models import Event
from repos.models import Import, Mirror, MirrorRun, Repository, RunState
from repos.remote import imports, mirrors
from tests import factories, gitrepo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server", "sent")]

NEW = "/repositories/new/import/"
STATUS = "/repositories/copy/import"
MIRROR = "/repositories/copy/settings/mirror"
PARTIAL = {"HX-Request": "true"}


@pytest.fixture
def ours(db) -> Repository:
    return factories.repository("copy")


@pytest.fixture
def started(alice_client, foreign, theirs) -> Import:
    foreign.login = ("ann", "s3cret")
    form = {"url": foreign.url(), "user_name": "ann", "password": "s3cret", "name": "copy", "description": "Theirs"}
    answer = alice_client.post(NEW, form)
    assert (answer.status_code, answer.url) == (302, STATUS)
    return Import.objects.get()


def mirror_form(foreign, **more):
    return {"url": foreign.url(), "interval_seconds": "900", "which": "all", "prunes": "on", **more}


def text(answer) -> str:
    return answer.content.decode()


# ---- imports --------------------------------------------------------------------------------------------------------


def test_an_import_is_watched_until_it_is_there(alice_client, started):
    page = text(alice_client.get(STATUS))
    assert "Waits for a worker." in page
    assert 'hx-trigger="every 2s"' in page
    assert '<noscript><meta http-equiv="refresh"' in page
    assert "This repository is being imported." in text(alice_client.get("/repositories/copy/"))
    Import.objects.update(
        state=RunState.IN_PROGRESS,
        phase="Receiving objects",
        percent=42,
        object_count=42,
        object_total=100,
        received_bytes=1536 * 1024,
        started_at=timezone.now(),
    )
    part = alice_client.get(STATUS, headers=PARTIAL)
    assert "HX-Refresh" not in part.headers
    assert "<html" not in text(part)
    assert all(words in text(part) for words in ("Receiving objects", 'value="42"', "42 %", "of 100", "1.5 MB"))
    Import.objects.update(state=RunState.QUEUED)
    imports.run_import(started.pk)
    part = alice_client.get(STATUS, headers=PARTIAL)
    assert part.headers["HX-Refresh"] == "true"
    assert "hx-trigger" not in text(part)
    page = text(alice_client.get(STATUS))
    assert "Imported 2 branches and 1 tags." in page
    assert "Open copy" in page and "Try again" not in page
    assert "trunk" in text(alice_client.get("/repositories/copy/"))


def test_the_password_is_shown_nowhere(alice_client, started):
    pages = [STATUS, f"/admin/repos/import/{started.pk}/change/", "/admin/repos/import/", "/audit/"]
    for path in pages:
        page = text(alice_client.get(path))
        assert "s3cret" not in page and started.sealed_password not in page, path
    event = Event.objects.get(event_name="CreateRepository")
    assert event.request_parameters["url"] == started.url
    assert "s3cret" not in str(Event.objects.values())


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"url": ""}, "url", "The URL of the repository is required."),
        ({"url": "https://ann:s3cret@example.com/x"}, "url", "carries no user name or password here"),
        ({"url": "ftp://example.com/x"}, "url", "must begin with https:// or http://"),
        ({"url": "http://10.0.0.1/x"}, "url", "leads to an address of this machine or of a private network"),
        ({"name": "a b"}, "name", "letters, digits, dots, dashes and underscores only"),
        ({"name": "taken"}, "name", "Repository named taken already exists"),
        ({"password": "wrong"}, "password", "did not accept this user name and password or token"),
        ({"user_name": "a:b"}, "url", "A user name has no colon"),
    ],
)
def test_a_form_that_is_wrong_is_told_beside_the_field(alice_client, foreign, theirs, change, field, sentence):
    factories.repository("taken")
    foreign.login = ("ann", "s3cret")
    form = {"url": foreign.url(), "user_name": "ann", "password": "s3cret", "name": "copy", **change}
    answer = alice_client.post(NEW, form)
    assert answer.status_code == 400
    assert sentence in " ".join(answer.context["form"].errors[field])
    assert 'type="password"' in text(answer) and 'value="s3cret"' not in text(answer)
    assert not Import.objects.exists()
    assert Repository.objects.count() == 1


def test_a_missing_repository_is_told_beside_the_url_and_recorded(alice_client, foreign, theirs):
    answer = alice_client.post(NEW, {"url": foreign.url("nothing"), "name": "copy"})
    assert "has no repository at this URL" in " ".join(answer.context["form"].errors["url"])
    event = Event.objects.get(event_name="CreateRepository")
    assert (event.error_code, event.outcome) == ("RemoteNotFound", "Failed")


def test_a_failed_import_says_why_and_is_tried_again(alice_client, started, foreign):
    foreign.login = ("ann", "changed")
    imports.run_import(started.pk)
    page = text(alice_client.get(STATUS))
    assert "did not accept this user name and password or token" in page
    assert "Leave it empty to keep the one that is stored." in page and "Delete copy…" in page
    assert "has not succeeded" in text(alice_client.get("/repositories/copy/"))
    form = {"url": foreign.url(), "user_name": "ann", "password": ""}
    answer = alice_client.post(f"{STATUS}/retry", form)
    assert answer.status_code == 400
    assert "did not accept" in " ".join(answer.context["form"].errors["password"])
    assert alice_client.post(f"{STATUS}/retry", {**form, "password": "changed"}).url == STATUS
    imports.run_import(started.pk)
    assert Import.objects.get().state == RunState.SUCCEEDED


def test_an_import_is_cancelled(alice_client, started):
    answer = alice_client.post(f"{STATUS}/cancel", follow=True)
    assert "Cancelled" in text(answer) and "Try again" in text(answer)
    assert alice_client.post(f"{STATUS}/cancel").status_code == 409


def test_a_reader_watches_and_an_outsider_does_not(bob_client, carol_client, client, started):
    page = text(bob_client.get(STATUS))
    assert "Waits for a worker." in page and "Cancel import" not in page
    assert carol_client.get(STATUS).status_code == 403
    assert client.get(STATUS).url.startswith("/sign-in/")
    assert bob_client.post(NEW, {"url": "https://example.com/x", "name": "mine"}).status_code == 403
    for change in ("cancel", "retry"):
        assert bob_client.post(f"{STATUS}/{change}").status_code == 403


def test_a_repository_that_was_not_imported_has_no_such_page(alice_client, ours):
    answer = alice_client.get(STATUS)
    assert answer.status_code == 404
    assert "copy was not imported from another server." in text(answer)


def test_wrong_methods(alice_client, started):
    assert alice_client.post(STATUS).status_code == 405
    assert alice_client.get(f"{STATUS}/cancel").status_code == 405
    assert alice_client.get(f"{STATUS}/retry").status_code == 405
    assert alice_client.get(f"{MIRROR}/change").status_code == 405


# ---- mirrors --------------------------------------------------------------------------------------------------------


def test_a_mirror_is_set_up_run_paused_and_removed(alice_client, foreign, theirs, ours):
    assert "Follow a repository on another server" in text(alice_client.get(MIRROR))
    answer = alice_client.post(MIRROR, mirror_form(foreign), follow=True)
    assert "The mirror is saved; a run is on its way." in text(answer)
    part = alice_client.get(MIRROR, headers=PARTIAL)
    assert "Queued" in text(part) and "HX-Refresh" not in part.headers
    mirrors.run_mirror(MirrorRun.objects.get().pk)
    assert alice_client.get(MIRROR, headers=PARTIAL).headers["HX-Refresh"] == "true"
    page = text(alice_client.get(MIRROR))
    assert "4 refs moved" in page and "new refs/heads/trunk at" in page and "in 15 minutes" in page
    assert f"Mirror of <code>{foreign.url()}</code>" in text(alice_client.get("/repositories/copy/"))
    for change, words in (
        ("run", "A run is on its way."),
        ("cancel", "The run is being cancelled."),
        ("pause", "alice paused it."),
        ("resume", "The mirror runs again."),
        ("remove", "what it brought stays"),
    ):
        answer = alice_client.post(f"{MIRROR}/change", {"change": change}, follow=True)
        assert words in text(answer), change
    assert not Mirror.objects.exists()
    assert Event.objects.filter(event_name="MirrorRepository", via="console").count() == 6


def test_what_a_mirror_would_overwrite_has_to_be_confirmed(alice_client, foreign, theirs, ours):
    gitrepo.commit(ours.git, {"a": "1"})
    assert "Type copy to confirm" in text(alice_client.get(MIRROR))
    answer = alice_client.post(MIRROR, mirror_form(foreign, confirmation="Copy"))
    assert "may be overwritten" in " ".join(answer.context["form"].errors["confirmation"])
    assert not Mirror.objects.exists()
    assert alice_client.post(MIRROR, mirror_form(foreign, confirmation="copy")).status_code == 302


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"which": "chosen"}, "patterns", "Name at least one branch or tag."),
        ({"which": "chosen", "patterns": "a b"}, "patterns", "is no pattern of refs"),
        ({"interval_seconds": "1"}, "interval_seconds", "is not one of the available choices"),
        ({"url": "http://192.168.0.1/x"}, "url", "private network"),
    ],
)
def test_a_mirror_that_is_wrong_is_told_beside_the_field(alice_client, foreign, theirs, ours, change, field, sentence):
    answer = alice_client.post(MIRROR, mirror_form(foreign, **change))
    assert answer.status_code == 400
    assert sentence in " ".join(answer.context["form"].errors[field])
    assert not Mirror.objects.exists()


def test_patterns_are_kept_and_shown(alice_client, foreign, theirs, ours):
    alice_client.post(MIRROR, mirror_form(foreign, which="chosen", patterns="trunk\nrefs/tags/v*"))
    assert Mirror.objects.get().patterns == ["refs/heads/trunk", "refs/tags/v*"]
    assert alice_client.get(MIRROR).context["form"]["patterns"].value() == "trunk\nrefs/tags/v*"


def test_an_unknown_change_is_refused(alice_client, foreign, theirs, ours):
    alice_client.post(MIRROR, mirror_form(foreign))
    answer = alice_client.post(f"{MIRROR}/change", {"change": "explode"})
    assert answer.status_code == 400
    assert "one of pause, resume, run, cancel, remove" in text(answer)


def test_a_reader_looks_at_a_mirror_and_changes_nothing(alice_client, bob_client, carol_client, foreign, theirs, ours):
    assert "takes <code>codecommit:MirrorRepository</code>" in text(bob_client.get(MIRROR))
    alice_client.post(MIRROR, mirror_form(foreign))
    page = text(bob_client.get(MIRROR))
    assert foreign.url() in page and "Pause" not in page and "Save mirror" not in page
    assert bob_client.post(MIRROR, mirror_form(foreign)).status_code == 403
    assert bob_client.post(f"{MIRROR}/change", {"change": "remove"}).status_code == 403
    assert carol_client.get(MIRROR).status_code == 403


def test_a_mirror_that_gave_up_is_told_to_those_who_can_help(alice_client, bob_client, foreign, theirs, ours):
    alice_client.post(MIRROR, mirror_form(foreign))
    Mirror.objects.update(next_run_at=None, is_paused_by_failures=True, failure_count=8, paused_because="It went away.")
    told = text(alice_client.get("/attention/"))
    assert "The mirror copy is paused" in told and "It failed 8 times in a row: It went away." in told
    assert MIRROR in told
    assert "The mirror" not in text(bob_client.get("/attention/"))
    assert "Paused after 8 failures in a row" in text(alice_client.get(MIRROR))


def test_failures_so_far_are_told(alice_client, foreign, theirs, ours):
    alice_client.post(MIRROR, mirror_form(foreign))
    Mirror.objects.update(failure_count=2, next_run_at=timezone.now() + timedelta(hours=2))
    assert "The last 2 runs failed." in text(alice_client.get(MIRROR))


def test_the_admin_shows_mirrors_and_their_runs(alice_client, foreign, theirs, ours):
    alice_client.post(MIRROR, mirror_form(foreign, user_name="ann", password="s3cret"))
    mirror, run = Mirror.objects.get(), MirrorRun.objects.get()
    for path in ("mirror/", f"mirror/{mirror.pk}/change/", "mirrorrun/", f"mirrorrun/{run.pk}/change/"):
        page = text(alice_client.get(f"/admin/repos/{path}"))
        assert "copy" in page and mirror.sealed_password not in page, path
