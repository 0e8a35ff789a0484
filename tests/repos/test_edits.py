"""Commits that the server makes: parents, authors, messages, rights, and the outbox that tells of them."""

from __future__ import annotations

import pytest

from codeservices.errors import AccessDenied, ServiceError
from repos import provision
from repos.access import RepositoryArchived
from repos.editing import edits, rules
from repos.editing.rules import Wording
from repos.editing.tips import EditConflict, Target
from repos.git import blob, log, refs, tree
from repos.git.tree_change import Copy, Delete, Put, SetMode
from repos.models import Mirror, Push, PushState, Repository
from repos.pushes import ref_updates
from tests import factories, gitrepo

MAIN = "refs/heads/main"


@pytest.fixture
def oid(demo) -> str:
    return gitrepo.commit(demo.git, {"README.md": "# Hi\n", "src/app.py": "print()\n"})


def text(repository: Repository, path: str, branch: str = "main") -> str | None:
    """What a file on a branch holds, as git tells it."""
    return gitrepo.git(repository.git, "show", f"{branch}:{path}")


def refused(call, *args, **kwargs) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        call(*args, **kwargs)
    return caught.value


def test_a_first_commit_makes_the_branch_and_is_told_like_a_push(alice, demo):
    made = edits.create_commit(alice.principal, "demo", "main", [Put("a/b.txt", b"1\n")], parent_oid=None)
    assert refs.tip(demo.git, MAIN) == made.oid
    assert demo.default_branch == "main"
    found = log.commit(demo.git, made.oid)
    assert (found.author.name, found.author.email) == (alice.arn, "")
    assert (found.message, found.parent_oids) == ("Added b.txt\n", ())
    assert [(one.path, one.mode) for one in made.changed.added] == [("a/b.txt", "100644")]
    push = Push.objects.get()
    assert push.state == PushState.RECORDED
    assert push.commands == [{"refname": MAIN, "old_oid": refs.ZERO_OID, "new_oid": made.oid}]
    assert gitrepo.git(demo.git, "fsck", "--strict") == ""


def test_one_commit_puts_copies_moves_deletes_and_sets_modes(alice, demo):
    oid = gitrepo.commit(
        demo.git, {"a": "a", "b": "b", "c": ("100755", "c"), "d/e": "e", "link": ("120000", "a"), "x/y/z": "z"}
    )
    made = edits.create_commit(
        alice.principal,
        "demo",
        "main",
        [
            Put("a", b"A"),
            Put("new/deep/file", b"n", "100755"),
            Copy("copy", "c"),
            Copy("moved", "b", is_move=True),
            Delete("x/y/z"),
            SetMode("d/e", "100755"),
        ],
        parent_oid=oid,
        wording=Wording("Ada", "ada@example.com", "Many things\r\n\r\nat once  \n\n"),
    )
    found = {
        one.path: (one.mode, gitrepo.git(demo.git, "cat-file", "blob", one.oid))
        for folder in ("", "d", "new/deep")
        for one in tree.entries(demo.git, made.oid, folder)
        if one.kind != "tree"
    }
    assert found == {
        "a": ("100644", "A"),
        "c": ("100755", "c"),
        "copy": ("100755", "c"),
        "moved": ("100644", "b"),
        "link": ("120000", "a"),
        "d/e": ("100755", "e"),
        "new/deep/file": ("100755", "n"),
    }
    paths = [[one.path for one in part] for part in (made.changed.added, made.changed.updated, made.changed.deleted)]
    assert paths == [["copy", "moved", "new/deep/file"], ["a", "d/e"], ["b", "x/y/z"]]
    assert log.commit(demo.git, made.oid).message == "Many things\n\nat once\n"
    # The same tree as git makes of the same files.
    twin = gitrepo.commit(
        demo.git,
        {
            "a": "A", "b": None, "x/y/z": None, "new/deep/file": ("100755", "n"), "copy": ("100755", "c"),
            "moved": "b", "d/e": ("100755", "e"),
        },
        refname="refs/heads/twin", parents=[oid],
    )  # fmt: skip
    assert log.commit(demo.git, twin).tree_oid == made.changed.tree_oid


def test_folders_left_empty_go_or_are_kept(alice, demo):
    oid = gitrepo.commit(demo.git, {"x/y/z": "z", "k": "k"})
    kept = edits.delete_file(alice.principal, "demo", "main", "x/y/z", parent_oid=oid, keep_empty_folders=True)
    assert [one.path for one in kept.changed.added] == ["x/y/.gitkeep"]
    gone = edits.delete_file(alice.principal, "demo", "main", "x/y/.gitkeep", parent_oid=kept.oid)
    assert [one.name for one in tree.entries(demo.git, gone.oid)] == ["k"]
    last = edits.delete_file(alice.principal, "demo", "main", "k", parent_oid=gone.oid)
    assert tree.entries(demo.git, last.oid) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ([], "FileEntryRequiredException"),
        ([Put(f"f{n}", b"1") for n in range(101)], "MaximumFileEntriesExceededException"),
        ([Put("big", b"x" * (6 * 1024**2 + 1))], "FileContentSizeLimitExceededException"),
        ([Put(f"f{n}", b"x" * (4 * 1024**2)) for n in range(2)], "FileContentSizeLimitExceededException"),
        ([Put("", b"1")], "PathRequiredException"),
        ([Put("/a", b"1")], "InvalidPathException"),
        ([Put("a/", b"1")], "InvalidPathException"),
        ([Put("a//b", b"1")], "InvalidPathException"),
        ([Put("../a", b"1")], "InvalidPathException"),
        ([Put("a/./b", b"1")], "InvalidPathException"),
        ([Put("a\0b", b"1")], "InvalidPathException"),
        ([Put(".git/config", b"1")], "InvalidPathException"),
        ([Put("a/.GIT/hooks/x", b"1")], "InvalidPathException"),
        ([Put("git~1/config", b"1")], "InvalidPathException"),
        ([Put(".git . ./x", b"1")], "InvalidPathException"),
        ([Put(".git::$INDEX_ALLOCATION/x", b"1")], "InvalidPathException"),
        ([Put("a\\.git\\x", b"1")], "InvalidPathException"),
        ([Put(".g\u200cit/x", b"1")], "InvalidPathException"),
        ([Put("a/" * 21 + "b", b"1")], "InvalidPathException"),
        ([Put("b" * 4097, b"1")], "InvalidPathException"),
        ([Put("half\ud800", b"1")], "InvalidPathException"),
        ([Put("a", b"1"), Put("a", b"2")], "SamePathRequestException"),
        ([Delete("README.md"), Put("README.md", b"2")], "SamePathRequestException"),
        ([Delete("README.md"), Copy("b", "README.md", is_move=True)], "SamePathRequestException"),
        ([Copy("README.md", "README.md", is_move=True)], "SamePathRequestException"),
        ([Put("a", b"1"), Put("a/b", b"2")], "PutFileEntryConflictException"),
        ([Put("src", b"1")], "FileNameConflictsWithDirectoryNameException"),
        ([Put("README.md/x", b"1")], "DirectoryNameConflictsWithFileNameException"),
        ([Put("vendor", b"1")], "FilePathConflictsWithSubmodulePathException"),
        ([Put("vendor/x", b"1")], "FilePathConflictsWithSubmodulePathException"),
        ([Delete("vendor")], "FilePathConflictsWithSubmodulePathException"),
        ([Delete("missing")], "FileDoesNotExistException"),
        ([Delete("src")], "FileDoesNotExistException"),
        ([Delete("README.md/x")], "FileDoesNotExistException"),
        ([SetMode("missing", "100755")], "FileDoesNotExistException"),
        ([Copy("b", "missing")], "FileDoesNotExistException"),
        ([Copy("b", "src")], "FileDoesNotExistException"),
        ([Copy("b", "k/.gitkeep")], "RestrictedSourceFileException"),
        ([Put("README.md", b"# Hi\n")], "NoChangeException"),
        ([SetMode("README.md", "100644")], "NoChangeException"),
        ([Put(".gitmodules", b'[submodule "x"]\n\tpath = x\n\turl = -u./payload\n')], "InvalidInputException"),
        ([Put(".gitmodules", b"target", "120000")], "InvalidInputException"),
    ],
)  # fmt: skip
def test_what_can_not_be_committed_is_told_with_codecommits_code_and_nothing_moves(alice, demo, changes, code):
    oid = gitrepo.commit(
        demo.git, {"README.md": "# Hi\n", "src/app.py": "1", "vendor": ("160000", "1" * 40), "k/.gitkeep": ""}
    )
    before = gitrepo.git(demo.git, "count-objects", "-v")
    error = refused(edits.create_commit, alice.principal, "demo", "main", changes, parent_oid=oid)
    assert error.code == code, error.message
    assert refs.tip(demo.git, MAIN) == oid
    assert gitrepo.git(demo.git, "count-objects", "-v") == before, "objects were left behind"
    assert not Push.objects.exclude(state=PushState.DROPPED).exists()


def test_a_folder_that_the_same_commit_empties_may_become_a_file(alice, demo, oid):
    made = edits.create_commit(
        alice.principal, "demo", "main", [Delete("src/app.py"), Put("src", b"1")], parent_oid=oid
    )
    assert tree.entry(demo.git, made.oid, "src").kind == "blob"


@pytest.mark.parametrize(
    ("branch", "parent", "code"),
    [
        ("main", None, "ParentCommitIdRequiredException"),
        ("main", "", "InvalidParentCommitIdException"),
        ("main", "abc", "InvalidParentCommitIdException"),
        ("main", "1" * 40, "ParentCommitDoesNotExistException"),
        ("main", "other", "ParentCommitDoesNotExistException"),
        ("main", "tree", "ParentCommitDoesNotExistException"),
        ("main", "first", "ParentCommitIdOutdatedException"),
        ("nowhere", "tip", "BranchDoesNotExistException"),
        ("v1", "tip", "BranchNameIsTagNameException"),
        ("a..b", "tip", "InvalidBranchNameException"),
        ("", "tip", "BranchNameRequiredException"),
    ],
)
def test_the_parent_must_be_the_tip_of_a_branch(alice, demo, oid, branch, parent, code):
    tip = gitrepo.commit(demo.git, {"README.md": "2"})
    other = gitrepo.commit(demo.git, {"o": "o"}, refname="refs/heads/other", parents=[])
    gitrepo.tag(demo.git, "v1", tip)
    known = {"first": oid, "tip": tip, "other": other, "tree": log.commit(demo.git, tip).tree_oid}
    error = refused(
        edits.create_commit,
        alice.principal, "demo", branch, [Put("a", b"1")], parent_oid=known.get(parent, parent),
    )  # fmt: skip
    assert error.code == code, error.message
    assert refs.tip(demo.git, MAIN) == tip


def test_a_parent_where_there_is_none_is_refused(alice, demo):
    error = refused(edits.create_commit, alice.principal, "demo", "main", [Put("a", b"1")], parent_oid="1" * 40)
    assert error.code == "ParentCommitDoesNotExistException"


@pytest.mark.parametrize(
    ("wording", "code"),
    [
        (Wording(name="x" * 1025), "NameLengthExceededException"),
        (Wording(email="a<b@example.com"), "InvalidEmailException"),
        (Wording(email="a@example.com\nparent x"), "InvalidEmailException"),
        (Wording(email="x" * 257), "InvalidEmailException"),
        (Wording(message="x" * (256 * 1024 + 1)), "CommitMessageLengthExceededException"),
    ],
)
def test_author_and_message_have_limits(alice, demo, oid, wording, code):
    error = refused(
        edits.create_commit, alice.principal, "demo", "main", [Put("a", b"1")], parent_oid=oid, wording=wording
    )
    assert error.code == code


def test_nothing_in_a_name_ends_its_line(alice, demo, oid):
    wording = Wording("Eve <eve@x> 0\n\nparent\u202e", "e@x", "ok\0\nauthor Mallory <m@x> 1 +0000")
    made = edits.create_commit(alice.principal, "demo", "main", [Put("a", b"1")], parent_oid=oid, wording=wording)
    found = log.commit(demo.git, made.oid)
    assert (found.author.name, found.author.email) == ("Eve eve@x 0parent", "e@x")
    assert found.message == "ok\nauthor Mallory <m@x> 1 +0000\n"
    assert gitrepo.git(demo.git, "fsck", "--strict") == ""


def test_a_file_that_is_put_again_or_empty_is_refused(alice, demo, oid):
    same = refused(edits.put_file, alice.principal, "demo", "main", Put("README.md", b"# Hi\n"), parent_oid=oid)
    assert same.code == "SameFileContentException"
    empty = refused(edits.put_file, alice.principal, "demo", "main", Put("README.md", b""), parent_oid=oid)
    assert empty.code == "FileContentRequiredException"
    made = edits.put_file(alice.principal, "demo", "main", Put("README.md", b"# Hi\n", "100755"), parent_oid=oid)
    assert made.changed.updated[0].mode == "100755"


def test_a_policy_on_the_branch_is_asked(alice, demo, oid):
    document = factories.allow("codecommit:*", resource=demo.arn)
    deny = {
        "Effect": "Deny",
        "Action": ["codecommit:PutFile", "codecommit:CreateCommit", "codecommit:DeleteFile"],
        "Resource": "*",
        "Condition": {"StringEquals": {"codecommit:References": MAIN}},
    }
    document["Statement"].append(deny)
    dora = factories.user("dora", document=document)
    calls = {
        "codecommit:CreateCommit": lambda: edits.create_commit(
            dora.principal, "demo", "main", [Put("a", b"1")], parent_oid=oid
        ),
        "codecommit:PutFile": lambda: edits.put_file(dora.principal, "demo", "main", Put("a", b"1"), parent_oid=oid),
        "codecommit:DeleteFile": lambda: edits.delete_file(dora.principal, "demo", "main", "README.md", parent_oid=oid),
    }
    for action, call in calls.items():
        with pytest.raises(AccessDenied) as caught:
            call()
        assert caught.value.action == action
    gitrepo.update_ref(demo.git, "refs/heads/side", oid)
    assert edits.put_file(dora.principal, "demo", "side", Put("a", b"1"), parent_oid=oid)
    with pytest.raises(AccessDenied):
        edits.edit(dora.principal, "demo", Target("side", "main"), [Put("a", b"1")], base_oid=oid)


def test_an_archived_repository_a_mirrored_branch_and_a_full_quota_take_no_commit(alice, demo, oid):
    def put():
        return edits.put_file(alice.principal, "demo", "main", Put("a", b"1"), parent_oid=oid)

    Mirror.objects.create(
        repository=demo, url="https://git.example.com/x", owner=alice, owner_name="alice", patterns=["refs/heads/main"]
    )
    assert refused(put).code == "ReferenceKeptByMirrorException"
    Mirror.objects.all().delete()
    Repository.objects.update(quota_bytes=1, size_bytes=2)
    assert "nothing can be added" in refused(put).message
    Repository.objects.update(quota_bytes=100, size_bytes=0)
    assert "can't be added" in refused(put).message
    Repository.objects.update(quota_bytes=None)
    provision.archive_repository(alice.principal, "demo")
    with pytest.raises(RepositoryArchived):
        put()
    assert refs.tip(demo.git, MAIN) == oid


def test_an_edit_applies_to_a_tip_that_moved_elsewhere(alice, demo, oid):
    moved = gitrepo.commit(demo.git, {"src/app.py": "print(2)\n"})
    made = edits.edit(alice.principal, "demo", Target("main"), [Put("README.md", b"# Ho\n")], base_oid=oid)
    assert log.commit(demo.git, made.oid).parent_oids == (moved,)
    assert (text(demo, "README.md"), text(demo, "src/app.py")) == ("# Ho", "print(2)")


@pytest.mark.parametrize(
    ("theirs", "mine"),
    [
        ({"README.md": "theirs"}, [Put("README.md", b"mine")]),
        ({"README.md": None}, [Put("README.md", b"mine")]),
        ({"README.md": "theirs"}, [Delete("README.md")]),
        ({"README.md": "theirs"}, [Copy("moved", "README.md", is_move=True)]),
        ({"new": "theirs"}, [Put("new", b"mine")]),
        ({"new/x": "theirs"}, [Put("new", b"mine")]),
        ({"README.md": ("100755", "# Hi\n")}, [Put("README.md", b"mine")]),
    ],
)
def test_an_edit_of_what_was_changed_meanwhile_overwrites_nothing(alice, demo, oid, theirs, mine):
    tip = gitrepo.commit(demo.git, theirs)
    error = refused(edits.edit, alice.principal, "demo", Target("main"), mine, base_oid=oid)
    assert isinstance(error, EditConflict)
    assert error.tip_oid == tip == refs.tip(demo.git, MAIN)


def test_an_edit_may_begin_a_branch_and_leaves_the_other(alice, demo, oid):
    tip = gitrepo.commit(demo.git, {"README.md": "theirs"})
    made = edits.edit(alice.principal, "demo", Target("main", "mine"), [Put("README.md", b"mine")], base_oid=oid)
    assert log.commit(demo.git, made.oid).parent_oids == (oid,)
    assert (refs.tip(demo.git, MAIN), refs.tip(demo.git, "refs/heads/mine")) == (tip, made.oid)
    again = refused(edits.edit, alice.principal, "demo", Target("main", "mine"), [Put("x", b"1")], base_oid=oid)
    assert again.code == "BranchNameExistsException"
    beside = refused(edits.edit, alice.principal, "demo", Target("main", "mine/x"), [Put("x", b"1")], base_oid=oid)
    assert beside.code == "InvalidBranchNameException"
    for base in ("", "HEAD", "--all", "1" * 40, log.commit(demo.git, oid).tree_oid):
        assert refused(edits.edit, alice.principal, "demo", Target("main"), [Put("x", b"1")], base_oid=base).code in (
            "ParentCommitIdRequiredException",
            "ParentCommitDoesNotExistException",
        )


def test_a_branch_that_moves_at_that_very_moment_is_looked_at_again(alice, demo, oid, monkeypatch):
    real = ref_updates.apply
    raced = []

    def apply(*args, **kwargs):
        if not raced:
            raced.append(gitrepo.commit(demo.git, {"src/app.py": "raced\n"}))
        return real(*args, **kwargs)

    monkeypatch.setattr(ref_updates, "apply", apply)
    made = edits.edit(alice.principal, "demo", Target("main"), [Put("README.md", b"mine")], base_oid=oid)
    assert log.commit(demo.git, made.oid).parent_oids == (raced[0],)
    assert [push.state for push in Push.objects.order_by("pk")] == [PushState.DROPPED, PushState.RECORDED]
    raced.clear()
    error = refused(edits.put_file, alice.principal, "demo", "main", Put("a", b"1"), parent_oid=made.oid)
    assert error.code == "ParentCommitIdOutdatedException"


def test_names_that_are_no_utf8_can_be_edited(alice, demo):
    path = b"caf\xe9".decode("utf-8", "surrogateescape")
    oid = gitrepo.commit(demo.git, {path: "1"})
    made = edits.edit(alice.principal, "demo", Target("main"), [Put(path, b"2")], base_oid=oid)
    assert blob.read(demo.git, made.oid, path).text == "2"
    gone = edits.edit(alice.principal, "demo", Target("main"), [Delete(path)], base_oid=made.oid)
    assert tree.entries(demo.git, gone.oid) == []


def test_messages_say_what_was_done():
    assert rules.default_message([Delete("a/b")]) == "Deleted b"
    assert rules.default_message([Copy("a/c", "a/b", is_move=True)]) == "Renamed b to c"
    assert rules.default_message([Copy("c/b", "a/b", is_move=True)]) == "Moved b to c/"
    assert rules.default_message([Put("a", b""), Put("b", b"")]) == "Changed 2 files"
