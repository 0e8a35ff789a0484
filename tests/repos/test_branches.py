"""Branches and tags made and deleted by API and console: rules, rights, and the outbox that tells of them."""

from __future__ import annotations

import subprocess
import uuid

import pytest

from codeservices.audit import record, writer
from codeservices.audit.acts import RequestInfo
from codeservices.audit.models import Event, OpenAct
from codeservices.audit.record import act
from codeservices.errors import AccessDenied, InvalidInput, NotFound
from repos import branches, provision
from repos.access import RepositoryArchived
from repos.git import log, program, refs, tags
from repos.git.refs import RefCommand
from repos.models import Push, PushState, Repository
from repos.pushes import lock as push_lock
from repos.pushes import receive, ref_updates
from tests import factories, gitrepo

ZERO = refs.ZERO_OID


@pytest.fixture
def demo(db) -> Repository:
    return factories.repository("demo")


@pytest.fixture
def oid(demo) -> str:
    return gitrepo.commit(demo.git, {"a": "1"})


def names(repository: Repository) -> list[str]:
    return [name for name, _ in refs.branches(repository.git)]


def moves() -> list[tuple[str, str, str, str]]:
    """(state, refname, old oid, new oid) of every push."""
    return [
        (push.state, one["refname"], one["old_oid"], one["new_oid"])
        for push in Push.objects.order_by("pk")
        for one in push.commands
    ]


def test_a_branch_is_made_told_and_deleted(alice, demo, oid):
    branches.create_branch(alice.principal, "demo", "feature/x", oid)
    assert names(demo) == ["feature/x", "main"]
    assert branches.delete_branch(alice.principal, "demo", "feature/x") == oid
    assert branches.delete_branch(alice.principal, "demo", "feature/x") is None
    assert names(demo) == ["main"]
    assert moves() == [
        (PushState.RECORDED, "refs/heads/feature/x", ZERO, oid),
        (PushState.RECORDED, "refs/heads/feature/x", oid, ZERO),
    ]
    assert {push.principal_arn for push in Push.objects.all()} == {alice.arn}


def test_a_packed_branch_is_deleted_too(alice, demo, oid):
    gitrepo.update_ref(demo.git, "refs/heads/old", oid)
    gitrepo.git(demo.git, "pack-refs", "--all")
    assert branches.delete_branch(alice.principal, "demo", "old") == oid
    assert names(demo) == ["main"]


def test_the_default_branch_stays(alice, demo, oid):
    with pytest.raises(branches.DefaultBranch, match="“main” is the default branch of demo"):
        branches.delete_branch(alice.principal, "demo", "main")
    assert names(demo) == ["main"] and not moves()


def test_the_first_branch_becomes_the_default(alice, demo):
    oid = gitrepo.commit(demo.git, {"a": "1"}, refname="refs/tags/v1")
    branches.create_branch(alice.principal, "demo", "trunk", oid)
    assert demo.default_branch == "trunk"


@pytest.mark.parametrize(
    ("branch", "error"),
    [
        ("main", branches.BranchNameExists),
        ("main/more", refs.InvalidBranchName),
        ("feature", refs.InvalidBranchName),
        ("a..b", refs.InvalidBranchName),
        ("-x", None),
        ("x" * 257, refs.InvalidBranchName),
        ("f" * 40, refs.InvalidBranchName),
        ("HEAD", refs.InvalidBranchName),
        ("", InvalidInput),
        ("ünïcode/ß", None),
        ("a b", refs.InvalidBranchName),
        ("a\nb", refs.InvalidBranchName),
        ("../../x", refs.InvalidBranchName),
    ],
)
def test_a_name_is_free_and_by_the_rules_or_nothing_is_made(alice, demo, oid, branch, error):
    gitrepo.update_ref(demo.git, "refs/heads/feature/x", oid)
    if error is None:
        branches.create_branch(alice.principal, "demo", branch, oid)
        assert branch in names(demo)
        return
    with pytest.raises(error):
        branches.create_branch(alice.principal, "demo", branch, oid)
    assert names(demo) == ["feature/x", "main"] and not moves()


def test_a_branch_stands_at_a_commit(alice, demo, oid):
    blob = gitrepo.blob(demo.git, "x")
    for wrong, error in (("1" * 40, NotFound), (blob, NotFound), ("main", InvalidInput), ("", InvalidInput)):
        with pytest.raises(error):
            branches.create_branch(alice.principal, "demo", "x", wrong)
    assert not moves()


def test_policies_see_which_branch_it_is(demo, oid):
    document = factories.allow("codecommit:CreateBranch", "codecommit:DeleteBranch")
    document["Statement"][0]["Condition"] = {"StringLike": {"codecommit:References": "refs/heads/mine/*"}}
    dora = factories.user("dora", document=document)
    branches.create_branch(dora.principal, "demo", "mine/x", oid)
    gitrepo.update_ref(demo.git, "refs/heads/yours", oid)
    for act_on in (
        lambda: branches.create_branch(dora.principal, "demo", "theirs", oid),
        lambda: branches.delete_branch(dora.principal, "demo", "yours"),
    ):
        with pytest.raises(AccessDenied):
            act_on()
    assert names(demo) == ["main", "mine/x", "yours"]


def test_nothing_moves_in_an_archived_repository(alice, demo, oid):
    gitrepo.update_ref(demo.git, "refs/heads/x", oid)
    gitrepo.update_ref(demo.git, "refs/tags/v1", oid)
    provision.archive_repository(alice.principal, "demo")
    row = Repository.objects.get()
    for door in (
        lambda: branches.create_branch(alice.principal, "demo", "y", oid),
        lambda: branches.delete_branch(alice.principal, "demo", "x"),
        lambda: branches.create_tag(alice.principal, "demo", "v2", oid),
        lambda: branches.delete_tag(alice.principal, "demo", "v1"),
        lambda: provision.set_default_branch(alice.principal, "demo", "x"),
        lambda: ref_updates.apply(alice.principal, "codecommit:PutFile", row, [RefCommand("refs/heads/y", ZERO, oid)]),
    ):
        with pytest.raises(RepositoryArchived, match="demo is archived since"):
            door()
    assert names(demo) == ["main", "x"] and not moves()
    provision.unarchive_repository(alice.principal, "demo")
    branches.create_branch(alice.principal, "demo", "y", oid)


def test_tags_are_made_light_or_with_a_message_and_deleted(alice, demo, oid):
    branches.create_tag(alice.principal, "demo", "v1", oid)
    branches.create_tag(alice.principal, "demo", "v2", oid, "Version 2\r\n\r\nBetter.  ")
    found = dict(refs.tags(demo.git))
    assert found["v1"] == oid
    made = tags.describe(demo.git, found["v2"])
    assert (made.target_oid, made.subject, made.tagger.name) == (oid, "Version 2", "alice")
    gitrepo.git(demo.git, "fsck", "--strict")
    assert branches.delete_tag(alice.principal, "demo", "v2") == found["v2"]
    with pytest.raises(branches.TagMissing):
        branches.delete_tag(alice.principal, "demo", "v2")
    with pytest.raises(branches.TagExists):
        branches.create_tag(alice.principal, "demo", "v1", oid)
    for wrong in ("", "-x", "a b", "v1/x", "HEAD"):
        with pytest.raises(branches.InvalidTagName):
            branches.create_tag(alice.principal, "demo", wrong, oid)


def test_a_tag_is_made_by_those_who_may_push_it(bob, demo, oid):
    document = factories.allow("codecommit:GitPush")
    document["Statement"][0]["Condition"] = {"StringLike": {"codecommit:References": "refs/tags/v*"}}
    dora = factories.user("dora", document=document)
    branches.create_tag(dora.principal, "demo", "v1", oid)
    for user, tag in ((dora, "x1"), (bob, "v2")):
        with pytest.raises(AccessDenied):
            branches.create_tag(user.principal, "demo", tag, oid)


# ---- the outbox ----------------------------------------------------------------------------------------------------


def test_a_ref_that_stands_elsewhere_moves_nothing(alice, demo, oid):
    commands = [RefCommand("refs/heads/a", ZERO, oid), RefCommand("refs/heads/main", "1" * 40, oid)]
    with pytest.raises(ref_updates.RefMoved):
        ref_updates.apply(alice.principal, "codecommit:GitPush", demo, commands)
    assert names(demo) == ["main"]
    assert {state for state, *_ in moves()} == {PushState.DROPPED}


def test_who_is_second_to_make_a_branch_is_told_that_it_exists(alice, demo, oid, monkeypatch):
    monkeypatch.setattr(branches, "_check_free", lambda *_: gitrepo.update_ref(demo.git, "refs/heads/x", oid))
    with pytest.raises(branches.BranchNameExists):
        branches.create_branch(alice.principal, "demo", "x", oid)
    assert {state for state, *_ in moves()} == {PushState.DROPPED}


def test_git_holds_the_lock_while_it_moves_the_refs(alice, demo, oid, monkeypatch):
    seen = []

    def run(repository, args, *, options, **others):
        push = Push.objects.get()
        held = push_lock.take(receive._lock_folder(), str(push.push_id)) is None
        seen.append((push.state, held, bool(options.pass_fds)))
        return program_run(repository, args, options=options, **others)

    program_run = program.run
    monkeypatch.setattr(ref_updates.program, "run", run)
    branches.create_branch(alice.principal, "demo", "x", oid)
    assert seen == [(PushState.BEGUN, True, True)]


@pytest.mark.parametrize("moved", [True, False])
def test_what_a_crash_interrupts_is_recovered_with_its_event(alice, demo, oid, monkeypatch, moved):
    class Killed(BaseException):
        pass

    def dies(repository, args, *, input, **_):
        if moved:
            subprocess.run(["git", *args], cwd=repository.path, input=input, check=True)
        raise Killed

    monkeypatch.setattr(ref_updates.program, "run", dies)
    monkeypatch.setattr(ref_updates.receive, "finish", lambda push, accepted: push)
    info = RequestInfo(str(uuid.uuid4()), "127.0.0.1", "test", "api", is_secure=True)
    current = act(alice.principal, info, event_name="CreateBranch", event_source="codecommit.amazonaws.com")
    opened = current.__enter__()
    with pytest.raises(Killed):
        branches.create_branch(alice.principal, "demo", "x", oid)
    assert Push.objects.get().state == PushState.BEGUN
    assert Push.objects.get().push_id == opened.event_id
    monkeypatch.undo()
    assert receive.recover() == 1
    assert [state for state, *_ in moves()] == [PushState.RECORDED if moved else PushState.DROPPED]
    event = Event.objects.get(event_name="CreateBranch")
    assert (event.error_code, event.additional_event_data["recovered"]) == ("" if moved else "ProcessEnded", True)
    assert not OpenAct.objects.exists()


def test_a_crash_after_a_change_is_recorded_costs_no_event(alice, demo, oid, monkeypatch):
    info = RequestInfo(str(uuid.uuid4()), "127.0.0.1", "test", "api", is_secure=True)
    monkeypatch.setattr(record, "record", lambda ended: None)
    with act(alice.principal, info, event_name="CreateBranch", event_source="codecommit.amazonaws.com"):
        branches.create_branch(alice.principal, "demo", "x", oid)
    assert receive.recover() == 0
    assert not Event.objects.filter(event_name="CreateBranch").exists(), "its process lives, and will tell"
    writer.forget()  # as if that had died
    for _ in range(2):
        assert receive.recover() == 0
        event = Event.objects.get(event_name="CreateBranch")
    assert event.event_id == Push.objects.get().push_id
    assert event.additional_event_data == {"movedReferences": ["refs/heads/x"], "recovered": True}
    assert not OpenAct.objects.exists()


def test_the_branch_that_is_made_can_be_read(alice, demo, oid):
    branches.create_branch(alice.principal, "demo", "x", oid)
    with demo.git as git:
        assert log.commit(git, refs.tip(git, "refs/heads/x")).oid == oid
