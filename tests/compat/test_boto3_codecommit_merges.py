"""Merges of branches, and what conflicts, as boto3 sees them."""

from __future__ import annotations

import base64

import pytest
from botocore.config import Config

from codeservices.audit.models import Event, Outcome
from repos.aws import merge_conflicts as operations
from repos.models import Push, Repository
from tests import factories, gitrepo
from tests.compat.refusals import refused

DEMO = {"repositoryName": "demo"}
SIDE_TO_MAIN = {**DEMO, "sourceCommitSpecifier": "side", "destinationCommitSpecifier": "main"}
LINES = "".join(f"{number}\n" for number in range(1, 10))
KEPT = {"conflictDetailLevel": "LINE_LEVEL"}


@pytest.fixture
def git(codecommit):
    """The bare repository of “demo”: “side” and “main” have gone apart without being in each other's way."""
    codecommit.create_repository(**DEMO)
    with Repository.objects.get().git as git:
        base = gitrepo.commit(git, {"a": LINES, "b": "b\n", "c": "c\n", "folder/only": "x\n"})
        gitrepo.commit(git, {"b": "B\n"})
        gitrepo.commit(git, {"c": "C\n", "new": "n\n", "folder/only": None}, branch="side", parents=[base])
        yield git


def tip(git, name: str) -> str:
    return gitrepo.git(git, "rev-parse", name)


def contents(git, revision: str) -> dict[str, str]:
    paths = gitrepo.git(git, "ls-tree", "-r", "--name-only", revision).split("\n")
    return {path: gitrepo.git(git, "show", f"{revision}:{path}") for path in paths}


MERGED = {"a": LINES.strip(), "b": "B", "c": "C", "new": "n"}


def test_three_ways_make_a_commit_with_two_parents(alice, codecommit, git):
    main, side = tip(git, "main"), tip(git, "side")
    done = codecommit.merge_branches_by_three_way(**SIDE_TO_MAIN)
    assert done["commitId"] == tip(git, "main")
    assert done["treeId"] == tip(git, "main^{tree}")
    assert contents(git, "main") == MERGED
    made = codecommit.get_commit(**DEMO, commitId=done["commitId"])["commit"]
    assert (made["parents"], made["message"]) == ([main, side], "Merge side into main\n")
    assert (made["author"]["name"], made["author"]["email"]) == (alice.arn, "")
    [push] = Push.objects.all()
    assert push.commands == [{"refname": "refs/heads/main", "old_oid": main, "new_oid": done["commitId"]}]
    event = Event.objects.get(event_name="MergeBranchesByThreeWay", outcome=Outcome.SUCCESS)
    assert event.event_id == push.push_id
    gitrepo.git(git, "fsck", "--strict")
    assert codecommit.get_merge_commit(**SIDE_TO_MAIN)["mergedCommitId"] == done["commitId"]


@pytest.mark.parametrize("merge", ["merge_branches_by_squash", "create_unreferenced_merge_commit"])
def test_what_a_merge_brings_has_to_fit_into_the_quota(codecommit, git, merge):
    before = tip(git, "main")
    Repository.objects.update(quota_bytes=100, size_bytes=0)  # its commit and trees are larger than that
    option = {"mergeOption": "SQUASH_MERGE"} if merge.startswith("create") else {}
    assert "quota" in refused(getattr(codecommit, merge), **SIDE_TO_MAIN, **option)[1]
    assert tip(git, "main") == before


def test_a_squash_makes_a_commit_with_one_parent_and_the_words_given(codecommit, git):
    main = tip(git, "main")
    words = {"authorName": "Ada <x>", "email": "ada@example.com", "commitMessage": "All of it\n\nAt once.  "}
    done = codecommit.merge_branches_by_squash(**SIDE_TO_MAIN, **words, keepEmptyFolders=True)
    made = codecommit.get_commit(**DEMO, commitId=done["commitId"])["commit"]
    assert (made["parents"], made["message"]) == ([main], "All of it\n\nAt once.\n")
    assert (made["author"]["name"], made["author"]["email"]) == ("Ada x", "ada@example.com")
    assert contents(git, "main") == {**MERGED, "folder/.gitkeep": ""}
    assert "mergedCommitId" not in codecommit.get_merge_commit(**SIDE_TO_MAIN)


def test_a_fast_forward_moves_the_branch_and_makes_no_commit(codecommit, git):
    main = tip(git, "main")
    assert refused(codecommit.merge_branches_by_fast_forward, **SIDE_TO_MAIN)[0] == "ManualMergeRequiredException"
    ahead = gitrepo.commit(git, {"d": "1\n"}, branch="ahead", parents=[main])
    forward = {**DEMO, "sourceCommitSpecifier": "ahead", "destinationCommitSpecifier": "main"}
    assert codecommit.get_merge_options(**forward)["mergeOptions"] == [
        "FAST_FORWARD_MERGE",
        "SQUASH_MERGE",
        "THREE_WAY_MERGE",
    ]
    done = codecommit.merge_branches_by_fast_forward(**forward)
    assert (done["commitId"], done["treeId"]) == (ahead, tip(git, "ahead^{tree}"))
    assert tip(git, "main") == ahead
    # What is merged already stays as it is.
    for merge in (codecommit.merge_branches_by_fast_forward, codecommit.merge_branches_by_three_way):
        assert merge(**forward)["commitId"] == ahead
    assert codecommit.get_merge_commit(**forward)["baseCommitId"] == ahead


def test_the_branch_that_moves_may_be_named_and_must_be_at_the_destination(codecommit, git):
    main, side = tip(git, "main"), tip(git, "side")
    gitrepo.update_ref(git, "refs/heads/release", main)
    by_oid = {**DEMO, "sourceCommitSpecifier": side, "destinationCommitSpecifier": main}
    done = codecommit.merge_branches_by_squash(**by_oid, targetBranch="release")
    assert (tip(git, "release"), tip(git, "main")) == (done["commitId"], main)
    again = refused(codecommit.merge_branches_by_squash, **by_oid, targetBranch="release")
    assert again[0] == "ConcurrentReferenceUpdateException"
    assert refused(codecommit.merge_branches_by_squash, **by_oid)[0] == "BranchNameRequiredException"


def test_an_unreferenced_merge_moves_nothing(codecommit, git):
    main = tip(git, "main")
    done = codecommit.create_unreferenced_merge_commit(**SIDE_TO_MAIN, mergeOption="THREE_WAY_MERGE")
    assert tip(git, "main") == main
    assert contents(git, done["commitId"]) == MERGED
    assert codecommit.get_commit(**DEMO, commitId=done["commitId"])["commit"]["parents"] == [main, tip(git, "side")]
    assert not Push.objects.exists()


@pytest.fixture
def apart(git):
    """“side” and “main” changed the same file in other lines, another in the same, and one deleted what one changed."""
    base = gitrepo.commit(
        git, {"lines": LINES, "same": "1\n2\n", "gone": "x\n", "bin": b"\0a", "calm": "c\n"}, branch="base"
    )
    changes = {"lines": LINES.replace("1", "one"), "same": "1\nmain\n", "gone": None, "bin": b"\0m"}
    gitrepo.commit(git, changes, branch="main", parents=[base])
    changes = {"lines": LINES.replace("9", "nine"), "same": "1\nside\nmore\n", "gone": "y\n", "bin": b"\0sss"}
    gitrepo.commit(git, changes, branch="side", parents=[base])
    return git


def test_conflicts_are_told_by_file_or_by_line(codecommit, apart):
    asked = {**SIDE_TO_MAIN, "mergeOption": "THREE_WAY_MERGE"}
    by_file = codecommit.get_merge_conflicts(**asked)
    assert [one["filePath"] for one in by_file["conflictMetadataList"]] == ["bin", "gone", "lines", "same"]
    assert by_file["mergeable"] is False
    assert by_file["baseCommitId"] == tip(apart, "base")
    by_line = codecommit.get_merge_conflicts(**asked, **KEPT)
    assert [one["filePath"] for one in by_line["conflictMetadataList"]] == ["bin", "gone", "same"]
    binary, gone, same = by_line["conflictMetadataList"]
    assert same == {
        "filePath": "same",
        "fileSizes": {"source": 12, "destination": 7, "base": 4},
        "fileModes": {"source": "NORMAL", "destination": "NORMAL", "base": "NORMAL"},
        "objectTypes": {"source": "FILE", "destination": "FILE", "base": "FILE"},
        "numberOfConflicts": 1,
        "isBinaryFile": {"source": False, "destination": False, "base": False},
        "contentConflict": True,
        "fileModeConflict": False,
        "objectTypeConflict": False,
        "mergeOperations": {"source": "M", "destination": "M"},
    }
    assert gone["mergeOperations"] == {"source": "M", "destination": "D"}
    assert "destination" not in gone["fileSizes"]
    assert binary["isBinaryFile"] == {"source": True, "destination": True, "base": True}
    forward = codecommit.get_merge_conflicts(**SIDE_TO_MAIN, mergeOption="FAST_FORWARD_MERGE")
    assert (forward["mergeable"], forward["conflictMetadataList"]) == (False, [])
    assert codecommit.get_merge_options(**SIDE_TO_MAIN)["mergeOptions"] == []
    accepted = codecommit.get_merge_options(**SIDE_TO_MAIN, conflictResolutionStrategy="ACCEPT_SOURCE")
    assert accepted["mergeOptions"] == ["SQUASH_MERGE", "THREE_WAY_MERGE"]


def test_hunks_have_the_lines_of_each_version(codecommit, apart):
    asked = {**SIDE_TO_MAIN, "mergeOption": "SQUASH_MERGE", "filePath": "same"}
    found = codecommit.describe_merge_conflicts(**asked, **KEPT)
    [hunk] = found["mergeHunks"]

    def lines(side):
        return side["startLine"], side["endLine"], base64.b64decode(side["hunkContent"])

    assert hunk["isConflict"] is True
    assert lines(hunk["source"]) == (1, 3, b"side\nmore\n")
    assert lines(hunk["destination"]) == (1, 2, b"main\n")
    assert lines(hunk["base"]) == (1, 2, b"2\n")
    [whole] = codecommit.describe_merge_conflicts(**asked)["mergeHunks"]
    assert lines(whole["destination"]) == (0, 2, b"1\nmain\n")
    # A file that merges by itself has its hunks too, and no conflict.
    calm = codecommit.describe_merge_conflicts(**{**asked, "filePath": "lines"}, **KEPT, maxMergeHunks=1)
    assert (calm["conflictMetadata"]["numberOfConflicts"], len(calm["mergeHunks"])) == (0, 1)
    rest = codecommit.describe_merge_conflicts(
        **{**asked, "filePath": "lines"}, **KEPT, maxMergeHunks=1, nextToken=calm["nextToken"]
    )
    assert [one["isConflict"] for one in calm["mergeHunks"] + rest["mergeHunks"]] == [False, False]
    assert "nextToken" not in rest


def test_many_conflicts_are_described_in_pages(codecommit, apart):
    asked = {**SIDE_TO_MAIN, "mergeOption": "THREE_WAY_MERGE", "maxConflictFiles": 3}
    first = codecommit.batch_describe_merge_conflicts(**asked)
    rest = codecommit.batch_describe_merge_conflicts(**asked, nextToken=first["nextToken"])
    pages = [[one["conflictMetadata"]["filePath"] for one in page["conflicts"]] for page in (first, rest)]
    assert pages == [["bin", "gone", "lines"], ["same"]]
    assert "nextToken" not in rest
    assert [len(one["mergeHunks"]) for one in first["conflicts"]] == [0, 1, 1]  # nothing of a binary file is shown
    some = codecommit.batch_describe_merge_conflicts(**asked, filePaths=["same", "calm", "none"])
    assert [one["conflictMetadata"]["filePath"] for one in some["conflicts"]] == ["same"]
    assert [(one["filePath"], one["exceptionName"]) for one in some["errors"]] == [
        ("none", "FileDoesNotExistException")
    ]
    token = {"nextToken": first["nextToken"]}
    again = codecommit.get_merge_conflicts(**asked, **token)
    assert [one["filePath"] for one in again["conflictMetadataList"]] == ["same"]


def test_no_more_is_read_for_one_answer_than_may_be(codecommit, apart, monkeypatch):
    """The same large file under a thousand paths is a small push."""
    asked = {**SIDE_TO_MAIN, "mergeOption": "THREE_WAY_MERGE"}
    monkeypatch.setattr(operations, "MAX_READ_BYTES", 40)
    for function in (codecommit.get_merge_conflicts, codecommit.batch_describe_merge_conflicts):
        assert refused(function, **asked)[0] == "MaximumFileContentToLoadExceededException"
        assert function(**asked, maxConflictFiles=1)["nextToken"]


def test_conflicts_left_to_nobody_stop_a_merge(codecommit, apart):
    main = tip(apart, "main")
    for merge in (codecommit.merge_branches_by_squash, codecommit.merge_branches_by_three_way):
        code, sentence = refused(merge, **SIDE_TO_MAIN, **KEPT)
        assert code == "ManualMergeRequiredException"
        assert "“bin”, “gone”, “same” changed on both sides" in sentence
    unreferenced = {**SIDE_TO_MAIN, "mergeOption": "SQUASH_MERGE"}
    assert refused(codecommit.create_unreferenced_merge_commit, **unreferenced)[0] == "ManualMergeRequiredException"
    assert tip(apart, "main") == main
    assert not Push.objects.exists()


@pytest.mark.parametrize("side", ["SOURCE", "DESTINATION"])
def test_a_side_can_be_accepted_for_every_conflict(codecommit, apart, side):
    wanted = contents(apart, "side" if side == "SOURCE" else "main")
    both = {"lines": LINES.replace("1", "one").replace("9", "nine").strip()}
    merge = {**SIDE_TO_MAIN, "conflictResolutionStrategy": f"ACCEPT_{side}"}
    preview = codecommit.create_unreferenced_merge_commit(**merge, mergeOption="SQUASH_MERGE")
    assert contents(apart, preview["commitId"]) == wanted
    codecommit.merge_branches_by_three_way(**merge, **KEPT)
    assert contents(apart, "main") == {**wanted, **both}


def test_automerge_merges_lines_and_resolves_the_rest_as_told(codecommit, apart):
    merge = {**SIDE_TO_MAIN, "conflictResolutionStrategy": "AUTOMERGE"}
    assert refused(codecommit.merge_branches_by_squash, **merge)[0] == "ManualMergeRequiredException"
    resolution = {
        "replaceContents": [
            {"filePath": "same", "replacementType": "USE_NEW_CONTENT", "content": b"both\n", "fileMode": "EXECUTABLE"},
            {"filePath": "bin", "replacementType": "KEEP_BASE"},
        ],
        "deleteFiles": [{"filePath": "gone"}],
        "setFileModes": [{"filePath": "bin", "fileMode": "EXECUTABLE"}],
    }
    codecommit.merge_branches_by_squash(**merge, conflictResolution=resolution)
    assert contents(apart, "main") == {
        "bin": "\0a",
        "calm": "c",
        "lines": LINES.replace("1", "one").replace("9", "nine").strip(),
        "same": "both",
    }
    modes = {line.split("\t")[1]: line[:6] for line in gitrepo.git(apart, "ls-tree", "main").split("\n")}
    assert (modes["bin"], modes["same"], modes["lines"]) == ("100755", "100755", "100644")
    gitrepo.git(apart, "fsck", "--strict")


def test_a_conflict_of_more_than_one_file_is_for_a_clone_to_solve(codecommit, git):
    base = tip(git, "main~1")
    gitrepo.commit(git, {"b": None, "b/x": "1\n"}, branch="side", parents=[base])
    gitrepo.commit(git, {"b": "changed\n"}, branch="main", parents=[base])
    merge = {**SIDE_TO_MAIN, "conflictResolutionStrategy": "ACCEPT_SOURCE"}
    assert refused(codecommit.merge_branches_by_squash, **merge)[0] == "ManualMergeRequiredException"


REPLACE = {"filePath": "same", "replacementType": "KEEP_SOURCE"}
WRONG_RESOLUTIONS = [
    ({"replaceContents": [{**REPLACE, "filePath": "a"}]}, "InvalidConflictResolutionException"),
    ({"replaceContents": [REPLACE, REPLACE]}, "MultipleConflictResolutionEntriesException"),
    (
        {"replaceContents": [REPLACE], "deleteFiles": [{"filePath": "same"}]},
        "MultipleConflictResolutionEntriesException",
    ),
    (
        {"deleteFiles": [{"filePath": f"f{number}"} for number in range(1001)]},
        "MaximumConflictResolutionEntriesExceededException",
    ),
    ({"replaceContents": [{**REPLACE, "replacementType": "MIX"}]}, "InvalidReplacementTypeException"),
    ({"replaceContents": [{**REPLACE, "replacementType": "USE_NEW_CONTENT"}]}, "ReplacementContentRequiredException"),
    ({"replaceContents": [{**REPLACE, "content": b"x"}]}, "InvalidReplacementContentException"),
    ({"replaceContents": [{**REPLACE, "fileMode": "SECRET"}]}, "InvalidFileModeException"),
    (
        {"replaceContents": [{**REPLACE, "replacementType": "USE_NEW_CONTENT", "content": b"x" * (6 * 1024**2 + 1)}]},
        "FileContentSizeLimitExceededException",
    ),
    ({"setFileModes": [{"filePath": "same", "fileMode": "SECRET"}]}, "InvalidFileModeException"),
]


def test_a_resolution_that_makes_no_sense_has_its_own_code(codecommit, apart):
    merge = {**SIDE_TO_MAIN, "conflictResolutionStrategy": "AUTOMERGE"}
    for resolution, code in WRONG_RESOLUTIONS:
        told = refused(codecommit.merge_branches_by_squash, **merge, conflictResolution=resolution)
        assert told[0] == code, (told, str(resolution)[:200])
    resolution = {"replaceContents": [REPLACE]}
    without = refused(codecommit.merge_branches_by_squash, **SIDE_TO_MAIN, conflictResolution=resolution)
    assert without[0] == "InvalidConflictResolutionException"


MERGE = "merge_branches_by_three_way"
SQUASH = {"mergeOption": "SQUASH_MERGE"}
WRONG_CALLS = [
    (MERGE, {"sourceCommitSpecifier": ""}, "CommitRequiredException"),
    (MERGE, {"destinationCommitSpecifier": ""}, "CommitRequiredException"),
    (MERGE, {"sourceCommitSpecifier": "a..b"}, "InvalidCommitException"),
    (MERGE, {"sourceCommitSpecifier": "none"}, "CommitDoesNotExistException"),
    (MERGE, {"destinationCommitSpecifier": "none"}, "CommitDoesNotExistException"),
    (MERGE, {"destinationCommitSpecifier": "HEAD"}, "BranchNameRequiredException"),
    (MERGE, {"destinationCommitSpecifier": "v1"}, "BranchNameIsTagNameException"),
    (MERGE, {"targetBranch": "v1"}, "BranchNameIsTagNameException"),
    (MERGE, {"targetBranch": "none"}, "BranchDoesNotExistException"),
    (MERGE, {"targetBranch": "a..b"}, "InvalidTargetBranchException"),
    (MERGE, {"targetBranch": "x" * 257}, "InvalidTargetBranchException"),
    (MERGE, {"conflictDetailLevel": "WORD_LEVEL"}, "InvalidConflictDetailLevelException"),
    (MERGE, {"conflictResolutionStrategy": "MINE"}, "InvalidConflictResolutionStrategyException"),
    (MERGE, {"authorName": "x" * 1025}, "NameLengthExceededException"),
    (MERGE, {"email": "a b"}, "InvalidEmailException"),
    (MERGE, {"commitMessage": "x" * (256 * 1024 + 1)}, "CommitMessageLengthExceededException"),
    (MERGE, {"repositoryName": "none"}, "RepositoryDoesNotExistException"),
    (MERGE, {"sourceCommitSpecifier": "alone"}, "TipsDivergenceExceededException"),
    ("merge_branches_by_fast_forward", {"sourceCommitSpecifier": "alone"}, "TipsDivergenceExceededException"),
    ("create_unreferenced_merge_commit", {"mergeOption": "FAST_FORWARD_MERGE"}, "InvalidMergeOptionException"),
    ("create_unreferenced_merge_commit", {"mergeOption": "OCTOPUS"}, "InvalidMergeOptionException"),
    ("get_merge_conflicts", {**SQUASH, "maxConflictFiles": 0}, "InvalidMaxConflictFilesException"),
    ("get_merge_conflicts", {**SQUASH, "nextToken": "x"}, "InvalidContinuationTokenException"),
    ("get_merge_conflicts", {**SQUASH, "sourceCommitSpecifier": "alone"}, "TipsDivergenceExceededException"),
    ("describe_merge_conflicts", {**SQUASH, "filePath": "none"}, "FileDoesNotExistException"),
    ("describe_merge_conflicts", {**SQUASH, "filePath": "folder"}, "FileDoesNotExistException"),
    ("describe_merge_conflicts", {**SQUASH, "filePath": ""}, "PathRequiredException"),
    ("describe_merge_conflicts", {**SQUASH, "filePath": "a", "maxMergeHunks": 1001}, "InvalidMaxMergeHunksException"),
    ("describe_merge_conflicts", {"filePath": "a", "mergeOption": "FAST_FORWARD_MERGE"}, "InvalidMergeOptionException"),
    ("batch_describe_merge_conflicts", {"mergeOption": "FAST_FORWARD_MERGE"}, "InvalidMergeOptionException"),
    ("get_merge_options", {"sourceCommitSpecifier": "none"}, "CommitDoesNotExistException"),
    ("get_merge_commit", {"sourceCommitSpecifier": "none"}, "CommitDoesNotExistException"),
]


def test_what_merging_refuses_has_its_own_code(codecommit, git):
    gitrepo.tag(git, "v1", tip(git, "main"))
    gitrepo.commit(git, {"z": "1"}, branch="alone", parents=[])
    before = gitrepo.git(git, "for-each-ref")
    for operation, params, code in WRONG_CALLS:
        told = refused(getattr(codecommit, operation), **{**SIDE_TO_MAIN, **params})
        assert told[0] == code, (operation, params, told)
    assert gitrepo.git(git, "for-each-ref") == before
    alone = {**SIDE_TO_MAIN, "sourceCommitSpecifier": "alone"}
    assert "baseCommitId" not in codecommit.get_merge_commit(**alone)


def test_members_left_out_have_their_errors_even_from_clients_that_check_nothing(alice, client_of, git):
    careless = client_of(alice, "codecommit", config=Config(parameter_validation=False, retries={"max_attempts": 1}))
    for operation, params, code in (
        (careless.merge_branches_by_squash, DEMO, "CommitRequiredException"),
        (careless.get_merge_conflicts, SIDE_TO_MAIN, "MergeOptionRequiredException"),
        (careless.describe_merge_conflicts, {**SIDE_TO_MAIN, **SQUASH}, "PathRequiredException"),
        (
            careless.merge_branches_by_squash,
            {**SIDE_TO_MAIN, "conflictResolution": {"replaceContents": [{"filePath": "a"}]}},
            "ReplacementTypeRequiredException",
        ),
        (
            careless.merge_branches_by_squash,
            {**SIDE_TO_MAIN, "conflictResolution": {"setFileModes": [{"filePath": "a"}]}},
            "FileModeRequiredException",
        ),
    ):
        assert refused(operation, **params)[0] == code


def test_policies_decide_on_the_branch_that_moves(codecommit, client_of, git):
    document = factories.allow("codecommit:Merge*", "codecommit:CreateUnreferencedMergeCommit")
    document["Statement"][0]["Condition"] = {"StringEquals": {"codecommit:References": "refs/heads/dora"}}
    gitrepo.update_ref(git, "refs/heads/dora", tip(git, "main"))
    client = client_of(factories.user("dora", document=document), "codecommit")
    mine = {**SIDE_TO_MAIN, "destinationCommitSpecifier": "dora"}
    for operation, params in (
        (client.merge_branches_by_three_way, SIDE_TO_MAIN),
        (client.merge_branches_by_squash, {**mine, "targetBranch": "main"}),
        (client.merge_branches_by_fast_forward, {**mine, "targetBranch": "main"}),
        (client.create_unreferenced_merge_commit, {**SIDE_TO_MAIN, **SQUASH}),
    ):
        assert refused(operation, **params)[0] == "AccessDeniedException"
    client.create_unreferenced_merge_commit(**mine, **SQUASH)
    done = client.merge_branches_by_three_way(**{**mine, "destinationCommitSpecifier": "refs/heads/dora"})
    assert tip(git, "dora") == done["commitId"]


def test_an_archived_repository_takes_no_merge(codecommit, git):
    Repository.objects.update(archived_at="2026-01-01T00:00:00Z")
    for operation, params in (
        (codecommit.merge_branches_by_three_way, {}),
        (codecommit.merge_branches_by_fast_forward, {}),
        (codecommit.create_unreferenced_merge_commit, SQUASH),
    ):
        assert refused(operation, **SIDE_TO_MAIN, **params)[0] == "OperationNotAllowedException"
    assert codecommit.get_merge_options(**SIDE_TO_MAIN)["mergeOptions"] == ["SQUASH_MERGE", "THREE_WAY_MERGE"]
