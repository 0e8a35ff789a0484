"""Files, folders, blobs, differences and a file's history as boto3 sees them."""

from __future__ import annotations

import pytest
from botocore.config import Config

from repos.models import Repository
from tests import factories, gitrepo
from tests.compat.refusals import refused

DEMO = {"repositoryName": "demo"}


@pytest.fixture
def git(codecommit):
    """The bare repository of “demo”."""
    codecommit.create_repository(**DEMO)
    with Repository.objects.get().git as git:
        yield git


FILES = {
    "a.txt": "eins\n",
    "run.sh": ("100755", "#!/bin/sh\n"),
    "src/link": ("120000", "../a.txt"),
    "src/app/main.py": "print()\n",
    "src/größe.txt": b"\xff\x00",
    "vendor/lib": ("160000", "1" * 40),
}


def test_a_file_is_read_at_whatever_names_a_commit(codecommit, git):
    first = gitrepo.commit(git, FILES)
    second = gitrepo.commit(git, {"a.txt": "zwei\n"})
    gitrepo.commit(git, {"a.txt": "drei\n"}, branch="feature/x", parents=[first])
    gitrepo.tag(git, "v1", first, "Annotated")
    path = {**DEMO, "filePath": "a.txt"}
    wanted = {
        first: b"eins\n",
        "v1": b"eins\n",
        "feature/x": b"drei\n",
        "refs/heads/main": b"zwei\n",
        "HEAD": b"zwei\n",
    }
    for specifier, content in wanted.items():
        assert codecommit.get_file(**path, commitSpecifier=specifier)["fileContent"] == content
    found = codecommit.get_file(**path)
    found.pop("ResponseMetadata")
    assert found == {
        "commitId": second,
        "blobId": gitrepo.git(git, "rev-parse", "main:a.txt"),
        "filePath": "a.txt",
        "fileMode": "NORMAL",
        "fileSize": 5,
        "fileContent": b"zwei\n",
    }
    odd = codecommit.get_file(**DEMO, filePath="/src/größe.txt")
    assert (odd["filePath"], odd["fileContent"]) == ("src/größe.txt", b"\xff\x00")
    assert codecommit.get_file(**DEMO, filePath="run.sh")["fileMode"] == "EXECUTABLE"
    link = codecommit.get_file(**DEMO, filePath="src/link")
    assert (link["fileMode"], link["fileContent"]) == ("SYMLINK", b"../a.txt")


def test_a_folder_lists_each_kind_of_entry(codecommit, git):
    oid = gitrepo.commit(git, FILES)

    def id_of(path):
        return gitrepo.git(git, "rev-parse", f"main:{path}")

    root = codecommit.get_folder(**DEMO, folderPath="/", commitSpecifier="main")
    assert (root["commitId"], root["folderPath"], root["treeId"]) == (oid, "", id_of(""))
    assert [one["absolutePath"] for one in root["subFolders"]] == ["src", "vendor"]
    assert root["files"] == [
        {"blobId": id_of("a.txt"), "absolutePath": "a.txt", "relativePath": "a.txt", "fileMode": "NORMAL"},
        {"blobId": id_of("run.sh"), "absolutePath": "run.sh", "relativePath": "run.sh", "fileMode": "EXECUTABLE"},
    ]
    src = codecommit.get_folder(**DEMO, folderPath="src")
    assert src["subFolders"] == [{"treeId": id_of("src/app"), "absolutePath": "src/app", "relativePath": "app"}]
    link = {"blobId": id_of("src/link"), "absolutePath": "src/link", "relativePath": "link", "fileMode": "SYMLINK"}
    assert src["symbolicLinks"] == [link]
    modules = codecommit.get_folder(**DEMO, folderPath="vendor")["subModules"]
    assert modules == [{"commitId": "1" * 40, "absolutePath": "vendor/lib", "relativePath": "lib"}]


def test_a_blob_is_read_up_to_six_megabytes(codecommit, git):
    most = 6 * 1024 * 1024
    whole, larger = (gitrepo.blob(git, b"x" * size) for size in (most, most + 1))
    assert len(codecommit.get_blob(**DEMO, blobId=whole)["content"]) == most
    code, sentence = refused(codecommit.get_blob, **DEMO, blobId=larger)
    assert (code, "6,291,457 bytes" in sentence) == ("FileTooLargeException", True)
    gitrepo.commit(git, {"large": b"x" * (most + 1)})
    assert refused(codecommit.get_file, **DEMO, filePath="large")[0] == "FileTooLargeException"


WRONG_CALLS = [
    ("get_file", {"filePath": ""}, "PathRequiredException"),
    ("get_file", {"filePath": "a/../b"}, "InvalidPathException"),
    ("get_file", {"filePath": "a//b"}, "InvalidPathException"),
    ("get_file", {"filePath": "x" * 4097}, "InvalidPathException"),
    ("get_file", {"filePath": "none"}, "FileDoesNotExistException"),
    ("get_file", {"filePath": "src"}, "FileDoesNotExistException"),
    ("get_file", {"filePath": "vendor/lib"}, "FileDoesNotExistException"),
    ("get_file", {"filePath": "a.txt", "commitSpecifier": "none"}, "CommitDoesNotExistException"),
    ("get_file", {"filePath": "a.txt", "commitSpecifier": "a..b"}, "InvalidCommitException"),
    ("get_file", {"filePath": "a.txt", "commitSpecifier": "1234567"}, "CommitDoesNotExistException"),
    ("get_file", {"filePath": "a.txt", "repositoryName": "nope"}, "RepositoryDoesNotExistException"),
    ("get_folder", {"folderPath": "none"}, "FolderDoesNotExistException"),
    ("get_folder", {"folderPath": "a.txt"}, "FolderDoesNotExistException"),
    ("get_folder", {"folderPath": "./src"}, "InvalidPathException"),
    ("get_folder", {"folderPath": "src", "commitSpecifier": "1" * 40}, "CommitDoesNotExistException"),
    ("get_blob", {"blobId": ""}, "BlobIdRequiredException"),
    ("get_blob", {"blobId": "main"}, "InvalidBlobIdException"),
    ("get_blob", {"blobId": "1" * 40}, "BlobIdDoesNotExistException"),
    ("get_differences", {"afterCommitSpecifier": ""}, "CommitRequiredException"),
    ("get_differences", {"afterCommitSpecifier": "main", "MaxResults": 0}, "InvalidMaxResultsException"),
    ("get_differences", {"afterCommitSpecifier": "main", "MaxResults": 401}, "InvalidMaxResultsException"),
    ("get_differences", {"afterCommitSpecifier": "main", "NextToken": "x"}, "InvalidContinuationTokenException"),
    ("get_differences", {"afterCommitSpecifier": "main", "afterPath": "none"}, "PathDoesNotExistException"),
    ("get_differences", {"afterCommitSpecifier": "main", "beforePath": ".."}, "InvalidPathException"),
    (
        "get_differences",
        {"afterCommitSpecifier": "main", "beforeCommitSpecifier": "none"},
        "CommitDoesNotExistException",
    ),
    ("list_file_commit_history", {"filePath": ""}, "PathRequiredException"),
    ("list_file_commit_history", {"filePath": "a.txt", "maxResults": -1}, "InvalidMaxResultsException"),
    ("list_file_commit_history", {"filePath": "a.txt", "nextToken": "x"}, "InvalidContinuationTokenException"),
    ("list_file_commit_history", {"filePath": "a.txt", "commitSpecifier": "no"}, "CommitDoesNotExistException"),
]


def test_what_reading_refuses_has_its_own_code(codecommit, git):
    gitrepo.commit(git, FILES)
    for operation, params, code in WRONG_CALLS:
        assert refused(getattr(codecommit, operation), **{**DEMO, **params})[0] == code, (operation, params)


def test_nothing_can_be_read_before_the_first_commit(codecommit, git):
    for operation, params in (
        (codecommit.get_file, {"filePath": "a"}),
        (codecommit.get_folder, {"folderPath": ""}),
        (codecommit.list_file_commit_history, {"filePath": "a"}),
    ):
        assert refused(operation, **DEMO, **params)[0] == "CommitDoesNotExistException"


def test_members_left_out_have_their_errors_even_from_clients_that_check_nothing(alice, client_of, git):
    careless = client_of(alice, "codecommit", config=Config(parameter_validation=False, retries={"max_attempts": 1}))
    for operation, code in (
        (careless.get_file, "PathRequiredException"),
        (careless.get_folder, "PathRequiredException"),
        (careless.get_blob, "BlobIdRequiredException"),
        (careless.get_differences, "CommitRequiredException"),
        (careless.list_file_commit_history, "ValidationException"),  # it declares no error of paths
    ):
        assert refused(operation, **DEMO)[0] == code


def test_differences_tell_what_was_added_modified_and_deleted(codecommit, git):
    first = gitrepo.commit(git, FILES)
    gitrepo.commit(git, {"a.txt": ("100755", "eins\n"), "src/app/main.py": None, "src/app/new.py": "print()\n"})
    found = codecommit.get_differences(**DEMO, beforeCommitSpecifier=first, afterCommitSpecifier="main")["differences"]
    blobs = {path: gitrepo.git(git, "rev-parse", f"main:{path}") for path in ("a.txt", "src/app/new.py")}
    assert found == [
        {
            "beforeBlob": {"blobId": blobs["a.txt"], "path": "a.txt", "mode": "100644"},
            "afterBlob": {"blobId": blobs["a.txt"], "path": "a.txt", "mode": "100755"},
            "changeType": "M",
        },
        # A renamed file is one deleted and one added.
        {
            "beforeBlob": {"blobId": blobs["src/app/new.py"], "path": "src/app/main.py", "mode": "100644"},
            "changeType": "D",
        },
        {
            "afterBlob": {"blobId": blobs["src/app/new.py"], "path": "src/app/new.py", "mode": "100644"},
            "changeType": "A",
        },
    ]
    assert (
        codecommit.get_differences(**DEMO, beforeCommitSpecifier="HEAD", afterCommitSpecifier="main")["differences"]
        == []
    )
    everything = codecommit.get_differences(**DEMO, afterCommitSpecifier=first)["differences"]
    assert [one["afterBlob"]["path"] for one in everything] == sorted(FILES)
    assert {one["changeType"] for one in everything} == {"A"}


def test_differences_keep_to_a_path_or_compare_one_with_another(codecommit, git):
    first = gitrepo.commit(git, {"old/a": "1", "old/b": "1", "other": "1"})
    gitrepo.commit(git, {"old/a": None, "old/b": None, "new/a": "1", "new/b": "2", "other": "2"})
    both = {**DEMO, "beforeCommitSpecifier": first, "afterCommitSpecifier": "main"}

    def told(**params):
        found = codecommit.get_differences(**both, **params)["differences"]
        return [(one["changeType"], one.get("beforeBlob", one.get("afterBlob"))["path"]) for one in found]

    assert told(afterPath="other") == [("M", "other")]
    assert told(beforePath="old") == [("D", "old/a"), ("D", "old/b")]
    assert told(beforePath="old", afterPath="new") == [("M", "old/b")]
    assert told(beforePath="old/a", afterPath="new/b") == [("M", "old/a")]


def test_differences_come_in_pages_that_a_moving_branch_does_not_disturb(codecommit, git):
    names = [f"d{number % 7}/f{number:03}" for number in range(50)] + ["d1-x", "d1.y", "d"]
    gitrepo.commit(git, dict.fromkeys(names, "1"))
    pages = codecommit.get_paginator("get_differences")
    found = []
    for page in pages.paginate(**DEMO, afterCommitSpecifier="main", PaginationConfig={"PageSize": 9}):
        assert len(page["differences"]) <= 9
        found += [one["afterBlob"]["path"] for one in page["differences"]]
        gitrepo.commit(git, {f"later{len(found)}": "1"})
    assert found == sorted(names)


def test_differences_of_two_blobs_come_line_by_line(codecommit, git):
    text = [f"line {number}" for number in range(60)]
    before, after = "\n".join(text) + "\n", "\n".join(["zero", *text[1:30], "größer", *text[30:]])
    old, new = gitrepo.blob(git, before), gitrepo.blob(git, after)
    asked = {**DEMO, "beforeBlobId": old, "afterBlobId": new, "contextLines": 1}
    found = codecommit.get_blob_differences(**asked)
    sizes = (found["isBinary"], found["beforeBlobSize"], found["afterBlobSize"])
    assert sizes == (False, len(before), len(after.encode()))
    assert found["hunks"][:2] == [
        {
            "beforeStartLine": 1,
            "beforeLineCount": 2,
            "afterStartLine": 1,
            "afterLineCount": 2,
            "changes": [
                {"type": "DELETE", "beforeLineNumber": 1, "content": "line 0"},
                {"type": "ADD", "afterLineNumber": 1, "content": "zero"},
                {"type": "CONTEXT", "beforeLineNumber": 2, "afterLineNumber": 2, "content": "line 1"},
            ],
        },
        {
            "beforeStartLine": 30,
            "beforeLineCount": 2,
            "afterStartLine": 30,
            "afterLineCount": 3,
            "changes": [
                {"type": "CONTEXT", "beforeLineNumber": 30, "afterLineNumber": 30, "content": "line 29"},
                {"type": "ADD", "afterLineNumber": 31, "content": "größer"},
                {"type": "CONTEXT", "beforeLineNumber": 31, "afterLineNumber": 32, "content": "line 30"},
            ],
        },
    ]
    pages, token = [], {}
    while token is not None:
        page = codecommit.get_blob_differences(**asked, MaxResults=2, **token)
        pages.append(page["hunks"])
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else None
    assert [len(page) for page in pages] == [2, 1] and [one for page in pages for one in page] == found["hunks"]
    [whole] = codecommit.get_blob_differences(**DEMO, afterBlobId=new)["hunks"]
    assert (whole["afterLineCount"], {one["type"] for one in whole["changes"]}) == (61, {"ADD"})
    spaced = gitrepo.blob(git, before.replace("line", " line"))
    same = codecommit.get_blob_differences(**DEMO, beforeBlobId=old, afterBlobId=spaced, ignoreWhitespace=True)
    assert same["hunks"] == []
    binary = codecommit.get_blob_differences(**DEMO, beforeBlobId=old, afterBlobId=gitrepo.blob(git, b"\0"))
    assert (binary["isBinary"], binary["hunks"]) == (True, [])
    assert codecommit.get_blob_differences(**DEMO, afterBlobId=gitrepo.blob(git, ""))["hunks"] == []
    for params, code in (
        ({"afterBlobId": ""}, "BlobIdRequiredException"),
        ({"afterBlobId": "x"}, "InvalidBlobIdException"),
        ({"beforeBlobId": "1" * 40}, "BlobIdDoesNotExistException"),
        ({"contextLines": 21}, "ValidationException"),
        ({"MaxResults": 0}, "InvalidMaxResultsException"),
        ({"NextToken": "x"}, "InvalidContinuationTokenException"),
    ):
        assert refused(codecommit.get_blob_differences, **{**asked, **params})[0] == code


def test_a_files_history_follows_merges_and_renames(codecommit, git):
    first = gitrepo.commit(git, {"old.txt": "1\n2\n3\n", "other": "1"})
    gitrepo.commit(git, {"other": "2"})
    left = gitrepo.commit(git, {"old.txt": "1\n2\n3\n4\n"})
    right = gitrepo.commit(git, {"old.txt": "0\n1\n2\n3\n"}, branch="side", parents=[first])
    both = gitrepo.commit(git, {"old.txt": "0\n1\n2\n3\n4\n"}, "Merge", parents=[left, right])
    moved = gitrepo.commit(git, {"old.txt": None, "new.txt": "0\n1\n2\n3\n4\n"})
    gone = gitrepo.commit(git, {"new.txt": None})
    wanted = [
        (gone, "new.txt", []),
        (moved, "new.txt", [gone]),
        (both, "old.txt", [moved]),
        (right, "old.txt", [both]),
        (left, "old.txt", [both]),
        (first, "old.txt", [left, right]),
    ]
    for size in (1, 2, 4, 100):
        dag, token = [], {}
        while True:
            page = codecommit.list_file_commit_history(**DEMO, filePath="new.txt", maxResults=size, **token)
            assert len(page["revisionDag"]) <= size
            dag += page["revisionDag"]
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}
        told = [(one["commit"]["commitId"], one["path"], sorted(one["revisionChildren"])) for one in dag]
        assert told == [(oid, path, sorted(children)) for oid, path, children in wanted]
    assert "blobId" not in dag[0]
    assert dag[1]["blobId"] == gitrepo.git(git, "rev-parse", f"{moved}:new.txt")
    assert dag[5]["commit"] == codecommit.get_commit(**DEMO, commitId=first)["commit"]
    assert codecommit.list_file_commit_history(**DEMO, filePath="never")["revisionDag"] == []
    at_left = codecommit.list_file_commit_history(**DEMO, filePath="old.txt", commitSpecifier=left)["revisionDag"]
    assert [one["commit"]["commitId"] for one in at_left] == [left, first]


def test_a_token_of_another_repository_or_a_forged_one_is_refused(codecommit, git):
    gitrepo.commit(git, {"a": "1"})
    gitrepo.commit(git, {"a": "2"})
    history = codecommit.list_file_commit_history(**DEMO, filePath="a", maxResults=1)["nextToken"]
    factories.repository("other")
    code = "InvalidContinuationTokenException"
    other = {"repositoryName": "other", "filePath": "a", "nextToken": history}
    assert refused(codecommit.list_file_commit_history, **other)[0] == code
    forged = {**DEMO, "afterCommitSpecifier": "main", "NextToken": history}
    assert refused(codecommit.get_differences, **forged)[0] == code


def test_reading_is_decided_by_its_own_action(carol, client_of, git):
    gitrepo.commit(git, {"a": "1"})
    client = client_of(carol, "codecommit")
    for operation, params in (
        (client.get_file, {"filePath": "a"}),
        (client.get_folder, {"folderPath": ""}),
        (client.get_differences, {"afterCommitSpecifier": "main"}),
        (client.list_file_commit_history, {"filePath": "a"}),
    ):
        assert refused(operation, **DEMO, **params)[0] == "AccessDeniedException"
