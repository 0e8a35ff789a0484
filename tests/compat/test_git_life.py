"""What git is told by a repository that is archived, full, deleted or renamed."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from codeservices.iam import credentials
from repos import deletion, provision, quota
from repos.models import Push, PushState, Repository
from tests import factories, gitclient, gitrepo
from tests.gitserver import wait_for

pytestmark = pytest.mark.usefixtures("redis_server")


@pytest.fixture
def url_of(alice, live_server_url):
    """url_of("demo") is its clone URL with alice's credentials in it."""
    credential, password = credentials.issue_git_credential(alice)
    account = f"{quote(credential.service_user_name)}:{quote(password, safe='')}"
    return lambda name: f"{live_server_url.replace('://', f'://{account}@')}/v1/repos/{name}"


@pytest.fixture
def demo(live_server_url) -> Repository:
    return factories.repository("demo")


@pytest.fixture
def work(demo, url_of, tmp_path):
    """alice's clone with one commit pushed to main and side."""
    work = gitclient.new(tmp_path / "work", url_of("demo"))
    work.commit({"README.md": "hello\n"}, "Begin")
    work.git("push", "--quiet", "origin", "main", "main:side")
    return work


def files(repository: Repository) -> list[Path]:
    return sorted(path for path in repository.git.path.rglob("*") if path.is_file())


def test_an_archived_repository_is_read_and_not_pushed_to(alice, work, url_of, tmp_path):
    provision.archive_repository(alice.principal, "demo")
    work.commit({"a": "1"})
    for refspec in ("main", ":side", "main:refs/tags/v1"):
        refused = work.try_git("push", "origin", refspec)
        assert refused.code != 0
        assert any(line.startswith("demo is archived since") for line in refused.remote), refused.err
    gitclient.clone(tmp_path / "copy", url_of("demo"))
    provision.unarchive_repository(alice.principal, "demo")
    work.git("push", "--quiet", "origin", "main")


def test_a_full_repository_takes_deletions_alone(alice, work):
    quota.set_quota(alice.principal, "demo", 100)
    work.commit({"a": "1"})
    refused = work.try_git("push", "origin", "main")
    assert refused.code != 0
    assert "of its 100 B: nothing can be added." in refused.err
    assert "Delete branches that hold large files" in refused.err
    work.git("push", "--quiet", "origin", ":side")


def test_a_push_that_would_go_beyond_the_quota_leaves_nothing(alice, demo, work):
    quota.set_quota(alice.principal, "demo", 400_000)
    work.commit({"small": random.Random(1).randbytes(50_000)})
    work.git("push", "--quiet", "origin", "main")
    before = files(demo)
    work.commit({"large": random.Random(2).randbytes(500_000)})
    refused = work.try_git("push", "origin", "main")
    assert refused.code != 0
    assert "bytes, which is what the repository's quota leaves. Ask an administrator" in refused.err
    assert files(demo) == before


def test_a_deleted_repository_is_none_and_a_restored_one_is_as_it_was(alice, demo, work, url_of, tmp_path):
    oid = work.git("rev-parse", "HEAD")
    deletion.delete_repository(alice.principal, "demo")
    work.commit({"a": "1"})
    for command in (("push", "origin", "main"), ("fetch", "origin")):
        refused = work.try_git(*command)
        assert refused.code != 0
        assert "Repository demo does not exist." in refused.err
    deletion.restore_repository(alice.principal, "demo", demo.repository_id, "demo-back")
    copy = gitclient.clone(tmp_path / "copy", url_of("demo-back"))
    assert copy.git("rev-parse", "HEAD") == oid


def test_a_push_that_the_deletion_overtakes_ends_whole_and_no_purge_takes_its_ground_away(alice, demo, work):
    path = demo.git.path
    oid = work.commit({"a": "1"})
    # Its git waits for a lock while the repository is deleted.
    (path / "refs/heads/topic.lock").touch()
    gitrepo.git(path, "config", "core.filesRefLockTimeout", "60000")
    push = subprocess.Popen(
        ["git", "push", "--quiet", "origin", "main:topic"], cwd=work.folder, env=gitrepo.ENVIRONMENT
    )
    assert wait_for(Push.objects.filter(state=PushState.BEGUN).exists)
    deletion.delete_repository(alice.principal, "demo")
    with pytest.raises(deletion.PushUnderWay, match="A push to demo has not ended yet"):
        deletion.purge_repository(alice.principal, "demo", demo.repository_id)
    (path / "refs/heads/topic.lock").unlink()
    assert push.wait(timeout=60) == 0
    assert Push.objects.first().state == PushState.RECORDED
    assert gitrepo.git(path, "rev-parse", "topic") == oid
    deletion.purge_repository(alice.principal, "demo", demo.repository_id)
    assert not path.exists()
    assert not Push.objects.exists()


def test_a_renamed_repository_answers_under_its_new_name_alone(alice, work, url_of):
    provision.rename_repository(alice.principal, "demo", "shop")
    assert "Repository demo does not exist." in work.try_git("fetch", "origin").err
    work.git("remote", "set-url", "origin", url_of("shop"))
    work.git("fetch", "--quiet", "origin")


def test_the_commands_of_the_page_migrate_a_repository_in_parts(demo, url_of, tmp_path):
    old = gitrepo.create(tmp_path / "old")
    oid = gitrepo.commit(old, {"a": "1"})
    names = [*(f"refs/heads/b{number}" for number in range(5)), "refs/tags/v1", "refs/pull/1/head"]
    for name in names:
        gitrepo.update_ref(old, name, oid)
    subprocess.run(
        "git for-each-ref --format='%(refname):%(refname)' refs/heads refs/tags |"
        f" xargs -n 3 git push --quiet {url_of('demo')}",
        shell=True,
        check=True,
        cwd=old.path,
        env=gitrepo.ENVIRONMENT,
    )
    found = gitrepo.git(demo.git, "for-each-ref", "--format=%(refname)").splitlines()
    assert found == [*names[:5], "refs/heads/main", "refs/tags/v1"]
