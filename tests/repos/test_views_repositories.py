"""The list of repositories, making one, its settings: each page from what works down to the wrong method."""

from __future__ import annotations

import pytest
from django.urls import reverse

from codeservices.audit.models import Event, Outcome
from repos.git import refs
from repos.models import Repository
from tests import factories, gitrepo


@pytest.fixture
def demo(db) -> Repository:
    return factories.repository("demo", "A demonstration")


@pytest.fixture
def pushed(demo) -> Repository:
    """demo with two branches."""
    oid = gitrepo.commit(demo.git, {"a": "1"})
    gitrepo.update_ref(demo.git, "refs/heads/feature/x", oid)
    return demo


def settings_url(name: str, what: str = "settings") -> str:
    return reverse(f"repos:repository_{what}", args=[name])


def test_the_list_shows_repositories_by_name_and_filters_by_name_or_description(alice_client, demo):
    factories.repository("other", "unlike")
    page = alice_client.get("/repositories/")
    assert [one.name for one in page.context["page"]] == ["demo", "other"]
    assert "No repositories yet" not in page.content.decode()
    for query, names in (("DEM", ["demo"]), ("unlike", ["other"]), ("zzz", [])):
        found = alice_client.get("/repositories/", {"q": query})
        assert [one.name for one in found.context["page"]] == names
    assert "No repository has “zzz”" in found.content.decode()


def test_the_list_leads_those_who_may_have_it_done_to_upkeep(alice_client, bob_client, demo):
    link = 'href="/upkeep/"'
    assert link in alice_client.get("/repositories/").content.decode()
    assert link not in bob_client.get("/repositories/").content.decode()


def test_the_filter_asks_for_rows_alone(alice_client, demo):
    page = alice_client.get("/repositories/", {"q": "demo"}, headers={"HX-Request": "true"}).content.decode()
    assert page.lstrip().startswith('<div id="repositories">')
    assert "<html" not in page


def test_an_empty_list_gives_the_command_for_the_first_repository(alice_client):
    page = alice_client.get("/repositories/").content.decode()
    assert "aws codecommit create-repository --repository-name" in page
    assert "/repositories/new/" in page


def test_a_list_shows_only_what_one_may_look_at(client, demo):
    factories.repository("secret")
    document = factories.allow("codecommit:ListRepositories")
    document["Statement"].append(
        {"Effect": "Allow", "Action": "codecommit:GetRepository", "Resource": "arn:aws:codecommit:*:*:demo"}
    )
    dora = factories.user("dora", document=document)
    client.force_login(dora, backend="codeservices.iam.backends.SessionBackend")
    page = client.get("/repositories/")
    assert [one.name for one in page.context["page"]] == ["demo"]
    assert Event.objects.filter(event_name="ListRepositories").count() == 1


def test_who_may_not_list_is_told_which_action_is_missing(carol_client):
    answer = carol_client.get("/repositories/")
    assert answer.status_code == 403
    assert "codecommit:ListRepositories" in answer.content.decode()


def test_creating_a_repository_leads_to_the_commands_that_fill_it(alice_client):
    answer = alice_client.post("/repositories/new/", {"name": "fresh", "description": "New <b>"}, follow=True)
    assert answer.redirect_chain == [("/repositories/fresh/", 302)]
    page = answer.content.decode()
    assert "git clone http://testserver/v1/repos/fresh" in page
    assert "git push --mirror http://testserver/v1/repos/fresh" in page
    assert "git init --initial-branch=main" in page
    assert "New &lt;b&gt;" in page
    event = Event.objects.get(event_name="CreateRepository")
    assert (event.principal_name, event.outcome) == ("alice", Outcome.SUCCESS)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "A repository name is required."),
        ("a" * 101, "at most 100 characters, not 101"),
        ("has space", "letters, digits, dots, dashes and underscores only"),
        ("x.git", "does not end in .git"),
        ("..", "can&#x27;t be a repository&#x27;s name"),
        ("new", "can&#x27;t be a repository&#x27;s name"),
        ("demo", "Repository named demo already exists"),
    ],
)
def test_a_bad_name_is_refused_beside_its_field_and_nothing_is_made(alice_client, demo, name, sentence):
    answer = alice_client.post("/repositories/new/", {"name": name, "description": "kept"})
    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    assert "kept" in answer.content.decode()
    assert Repository.objects.count() == 1


def test_a_description_that_is_too_long_is_refused(alice_client):
    answer = alice_client.post("/repositories/new/", {"name": "x", "description": "d" * 1001})
    assert answer.status_code == 400
    assert "at most 1000 characters, not 1001" in answer.content.decode()


@pytest.mark.parametrize("who", ["bob_client", "carol_client"])
def test_who_may_not_create_is_refused_and_it_is_recorded(request, who):
    client = request.getfixturevalue(who)
    answer = client.post("/repositories/new/", {"name": "mine"})
    assert answer.status_code == 403
    assert "codecommit:CreateRepository" in answer.content.decode()
    assert not Repository.objects.exists()
    assert Event.objects.get(event_name="CreateRepository").outcome == Outcome.DENIED


def test_the_owner_sees_every_setting_and_a_reader_none(alice_client, bob_client, pushed):
    page = alice_client.get(settings_url("demo")).content.decode()
    assert all(
        f"/repositories/demo/settings/{what}" in page for what in ("description", "default-branch", "name", "delete")
    )
    page = bob_client.get(settings_url("demo"))
    assert page.status_code == 200
    assert "not change its settings" in page.content.decode()
    assert "/settings/delete" not in page.content.decode()


def test_the_description_is_saved(alice_client, demo):
    answer = alice_client.post(settings_url("demo", "describe"), {"description": "Better"}, follow=True)
    assert "The description is saved." in answer.content.decode()
    demo.refresh_from_db()
    assert demo.description == "Better"


def test_the_default_branch_is_set_to_one_that_exists(alice_client, pushed):
    url = settings_url("demo", "default_branch")
    assert alice_client.post(url, {"branch": "feature/x"}).status_code == 302
    assert refs.default_branch(pushed.git) == "feature/x"
    answer = alice_client.post(url, {"branch": "relase"})
    assert answer.status_code == 400
    assert "No branch is called “relase”." in answer.content.decode()
    assert refs.default_branch(pushed.git) == "feature/x"


def test_a_repository_is_renamed_and_its_old_address_is_gone(alice_client, demo):
    factories.repository("taken")
    url = settings_url("demo", "rename")
    answer = alice_client.post(url, {"name": "taken"})
    assert answer.status_code == 400
    assert "Repository named taken already exists" in answer.content.decode()
    answer = alice_client.post(url, {"name": "renamed"}, follow=True)
    assert answer.redirect_chain == [("/repositories/renamed/settings", 302)]
    assert alice_client.get("/repositories/demo/").status_code == 404


def test_deleting_needs_the_name_typed(alice_client, demo):
    url = settings_url("demo", "delete")
    answer = alice_client.post(url, {"confirmation": "Demo"})
    assert answer.status_code == 400
    assert "“Demo” is not “demo”, so nothing was deleted." in answer.content.decode()
    assert Repository.objects.exists()
    answer = alice_client.post(url, {"confirmation": "demo"}, follow=True)
    assert answer.redirect_chain == [("/repositories/", 302)]
    assert "It can be restored for 7 days." in answer.content.decode()
    assert not Repository.objects.exists()
    assert alice_client.get("/repositories/demo/").status_code == 404


@pytest.mark.parametrize(
    ("what", "data", "action"),
    [
        ("describe", {"description": "x"}, "UpdateRepositoryDescription"),
        ("default_branch", {"branch": "feature/x"}, "UpdateDefaultBranch"),
        ("rename", {"name": "mine"}, "UpdateRepositoryName"),
        ("delete", {"confirmation": "demo"}, "DeleteRepository"),
        ("quota", {"quota_gigabytes": "1"}, "PutRepositoryQuota"),
        ("archive", {}, "ArchiveRepository"),
        ("unarchive", {}, "UnarchiveRepository"),
    ],
)
@pytest.mark.parametrize("who", ["bob_client", "carol_client"])
def test_settings_are_closed_to_who_may_not_change_them(request, pushed, who, what, data, action):
    client = request.getfixturevalue(who)
    answer = client.post(settings_url("demo", what), data)
    assert answer.status_code == 403
    assert f":{action}" in answer.content.decode()
    pushed.refresh_from_db()
    assert (pushed.name, pushed.description) == ("demo", "A demonstration")
    assert refs.default_branch(pushed.git) == "main"
    assert Event.objects.get(event_name=action).outcome == Outcome.DENIED


def test_a_tag_is_a_filter_of_the_list(alice_client, demo):
    other = factories.repository("other")
    Repository.objects.filter(pk=demo.pk).update(tags={"team": "web", "a=b": "1"})
    Repository.objects.filter(pk=other.pk).update(tags={"team": "api"})
    for tag, names in (
        ("team", ["demo", "other"]),
        ("team=web", ["demo"]),
        ("a=b=1", ["demo"]),
        ("a=b", ["demo"]),
        ("tea", []),
        ("team=", []),
    ):
        page = alice_client.get("/repositories/", {"tag": tag})
        assert [one.name for one in page.context["page"]] == names, tag
    assert "No repository has the tag “team=”." in page.content.decode()
    page = alice_client.get("/repositories/", {"tag": "team", "q": "oth"}).content.decode()
    assert "?tag=team%3Dapi" in page and 'name="tag" value="team"' in page


def test_tags_change_as_a_whole_or_not_at_all(client, demo):
    Repository.objects.filter(pk=demo.pk).update(tags={"old": "1"})
    document = factories.allow("codecommit:ListTagsForResource", "codecommit:TagResource")
    dora = factories.user("dora", document=document)
    client.force_login(dora, backend="codeservices.iam.backends.SessionBackend")
    url = settings_url("demo", "tags")
    answer = client.post(url, {"tag_key": ["new"], "tag_value": ["2"]})
    assert answer.status_code == 403
    assert "codecommit:UntagResource" in answer.content.decode()
    demo.refresh_from_db()
    assert demo.tags == {"old": "1"}
    assert client.post(url, {"tag_key": ["old", "new"], "tag_value": ["1", "2"]}).status_code == 302
    demo.refresh_from_db()
    assert demo.tags == {"old": "1", "new": "2"}
    for key in ("aws:x", "a;b", "old", "k" * 129):
        rows = {"tag_key": ["old", "new", key], "tag_value": ["1", "2", "3"]}
        assert client.post(url, rows).status_code == 400, key


def test_a_quota_is_set_in_gigabytes(alice_client, demo, settings):
    url = settings_url("demo", "quota")
    for text, size_bytes in (("0.5", 2**29), ("0", 0), ("", None)):
        assert alice_client.post(url, {"quota_gigabytes": text}).status_code == 302
        demo.refresh_from_db()
        assert demo.quota_bytes == size_bytes
    for text in ("-1", "much", "1e99", "nan", "inf"):
        assert alice_client.post(url, {"quota_gigabytes": text}).status_code == 400, text
    settings.REPOSITORY_QUOTA_BYTES = 2**30
    Repository.objects.update(size_bytes=2**29)
    page = alice_client.get(settings_url("demo")).content.decode()
    assert "1.0 GB" in page


def test_an_archived_repository_says_so_and_is_opened_again(alice_client, bob_client, pushed):
    answer = alice_client.post(settings_url("demo", "archive"), follow=True)
    assert "demo is archived: nothing in it changes" in answer.content.decode()
    for path in ("", "settings", "branches", "tags", "triggers"):
        assert "nothing can be pushed or changed" in bob_client.get(f"/repositories/demo/{path}").content.decode()
    answer = alice_client.post(settings_url("demo", "default_branch"), {"branch": "feature/x"})
    assert answer.status_code == 409
    assert "demo is archived since" in answer.content.decode()
    alice_client.post(settings_url("demo", "unarchive"))
    assert "nothing can be pushed" not in alice_client.get("/repositories/demo/").content.decode()


def test_the_page_to_migrate_has_the_commands_whole(bob_client, pushed):
    page = bob_client.get("/repositories/demo/migrate").content.decode()
    assert "git push --mirror http://testserver/v1/repos/demo" in page
    assert "xargs -n 1000 git push http://testserver/v1/repos/demo" in page
    assert "4,000 refs" in page


def test_an_outsider_is_told_the_same_of_what_exists_and_what_does_not(carol_client, demo):
    there, absent = (carol_client.get(f"/repositories/{name}/settings") for name in ("demo", "demx"))
    assert there.status_code == absent.status_code == 403
    words = [answer.context["error"].message.replace("demx", "demo") for answer in (there, absent)]
    assert words[0] == words[1]


def test_a_missing_repository_is_not_found(alice_client):
    assert alice_client.get("/repositories/nope/settings").status_code == 404
    assert alice_client.get("/repositories/nope/").status_code == 404
    assert alice_client.post(settings_url("nope", "delete"), {"confirmation": "nope"}).status_code == 404


@pytest.mark.parametrize(
    "path", ["/repositories/", "/repositories/new/", "/repositories/demo/", "/repositories/demo/settings"]
)
def test_who_has_not_signed_in_is_sent_to_sign_in(client, demo, path):
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer.url == f"/sign-in/?next={path}"


def test_changes_are_posts_and_pages_are_gets(alice_client, demo):
    for what in ("describe", "default_branch", "rename", "tags", "quota", "archive", "unarchive", "delete"):
        assert alice_client.get(settings_url("demo", what)).status_code == 405
    for path in ("/repositories/", "/repositories/demo/", "/repositories/demo/settings"):
        assert alice_client.post(path).status_code == 405
    assert alice_client.delete("/repositories/new/").status_code == 405


def test_a_form_from_another_site_is_refused(alice, demo):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice, backend="codeservices.iam.backends.SessionBackend")
    assert strict.post(settings_url("demo", "delete"), {"confirmation": "demo"}).status_code == 403
    assert Repository.objects.exists()


def test_the_admin_shows_repositories_and_lets_nobody_edit_their_rows(client, demo):
    root = factories.user("root", "AdministratorAccess")
    client.force_login(root, backend="codeservices.iam.backends.SessionBackend")
    assert "demo" in client.get("/admin/repos/repository/").content.decode()
    assert client.get(f"/admin/repos/repository/{demo.pk}/change/").status_code == 200
    assert client.get(f"/admin/repos/repository/{demo.pk}/delete/").status_code == 403
    assert client.get("/admin/repos/push/").status_code == 200
