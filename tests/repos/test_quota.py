"""What a repository may take, who says so, and what is refused beyond it."""

from __future__ import annotations

import random

import pytest

from codeservices.errors import AccessDenied, InvalidInput
from repos import quota
from repos.git import refs
from repos.git.refs import RefCommand
from repos.models import Push, Repository
from repos.pushes import receive, rules
from tests import factories, gitrepo

GIB = 2**30


@pytest.fixture
def demo(db) -> Repository:
    repository = factories.repository("demo")
    gitrepo.commit(repository.git, {"a": "1"})
    return repository


def test_a_quota_of_its_own_comes_before_the_installations(demo, settings):
    assert (quota.limit_bytes(demo), quota.remaining_bytes(demo)) == (None, None)
    settings.REPOSITORY_QUOTA_BYTES = GIB
    demo.size_bytes = GIB // 4
    assert (quota.limit_bytes(demo), quota.remaining_bytes(demo)) == (GIB, 3 * GIB // 4)
    demo.quota_bytes = 2 * GIB
    assert quota.limit_bytes(demo) == 2 * GIB
    demo.quota_bytes = 0
    assert quota.limit_bytes(demo) is None
    quota.check(demo)


def test_beyond_the_quota_nothing_comes_in_but_refs_can_go(alice, demo):
    demo.size_bytes, demo.quota_bytes = int(1.2 * GIB), GIB
    oid = gitrepo.git(demo.git, "rev-parse", "main")
    gitrepo.update_ref(demo.git, "refs/heads/x", oid)
    delete = RefCommand("refs/heads/x", oid, refs.ZERO_OID)
    with pytest.raises(rules.PushRefused) as caught:
        receive.begin(alice.principal, demo, [delete, RefCommand("refs/heads/y", refs.ZERO_OID, oid)])
    assert caught.value.message.startswith("demo takes 1.2 GB of its 1.0 GB: nothing can be added.")
    assert set(caught.value.reasons.values()) == {"demo takes 1.2 GB of its 1.0 GB: nothing can be added."}
    assert not Push.objects.exists()
    receive.begin(alice.principal, demo, [delete]).lock.release()
    # Git takes 0 for "as much as you like".
    assert quota.remaining_bytes(demo) == 1


def test_a_push_is_measured_when_it_ends(alice, demo):
    oid = gitrepo.git(demo.git, "rev-parse", "main")
    begun = receive.begin(alice.principal, demo, [RefCommand("refs/heads/x", refs.ZERO_OID, oid)])
    gitrepo.commit(demo.git, {"big": random.Random(1).randbytes(100_000)}, branch="x")
    receive.finish(begun.push, {"refs/heads/x"})
    begun.lock.release()
    demo.refresh_from_db()
    assert demo.size_bytes > 100_000
    quota.set_quota(alice.principal, "demo", 100_000)
    with pytest.raises(rules.PushRefused):
        receive.begin(alice.principal, Repository.objects.get(), [RefCommand("refs/heads/y", refs.ZERO_OID, oid)])


def test_administrators_alone_set_it(alice, demo):
    for name, policy in (("frank", "AWSCodeCommitFullAccess"), ("paula", "AWSCodeCommitPowerUser")):
        with pytest.raises(AccessDenied):
            quota.set_quota(factories.user(name, policy).principal, "demo", GIB)
    assert quota.set_quota(alice.principal, "demo", GIB).quota_bytes == GIB
    assert quota.set_quota(alice.principal, "demo", None).quota_bytes is None
    for wrong in (-1, 2**61):
        with pytest.raises(InvalidInput):
            quota.set_quota(alice.principal, "demo", wrong)
