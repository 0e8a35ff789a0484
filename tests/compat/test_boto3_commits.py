"""CreateCommit, PutFile and DeleteFile as boto3 and the aws command line see them."""

from __future__ import annotations

import json

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from codeservices.audit.models import Event, Outcome
from repos.models import Push, Repository
from tests import gitrepo

WHERE = {"repositoryName": "demo", "branchName": "main"}


@pytest.fixture
def codecommit(alice, client_of):
    client = client_of(alice, "codecommit", config=Config(parameter_validation=False, retries={"max_attempts": 1}))
    client.create_repository(repositoryName="demo")
    return client


@pytest.fixture
def oid(codecommit) -> str:
    return gitrepo.commit(Repository.objects.get().git, {"README.md": "1\n", "run.sh": ("100755", "r"), "d/x": "x"})


def refused(function, **params) -> str:
    with pytest.raises(ClientError) as caught:
        function(**params)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return caught.value.response["Error"]["Code"]


def blob(content: str) -> str:
    return gitrepo.git(Repository.objects.get().git, "hash-object", "--stdin", input=content)


def test_a_first_commit_and_the_next_answer_as_in_the_reference(codecommit, alice):
    made = codecommit.create_commit(**WHERE, putFiles=[{"filePath": "readme.md", "fileContent": b"Welcome"}])
    metadata = {"absolutePath": "readme.md", "blobId": blob("Welcome"), "fileMode": "NORMAL"}
    assert (made["filesAdded"], made["filesUpdated"], made["filesDeleted"]) == ([metadata], [], [])
    found = codecommit.get_commit(repositoryName="demo", commitId=made["commitId"])["commit"]
    assert (found["treeId"], found["parents"], found["message"]) == (made["treeId"], [], "Added readme.md\n")
    assert (found["author"]["name"], found["author"]["email"]) == (alice.arn, "")
    second = codecommit.create_commit(
        **WHERE,
        parentCommitId=made["commitId"],
        authorName="Ada",
        email="ada@example.com",
        commitMessage="Two files",
        putFiles=[
            {"filePath": "/src/a.sh", "fileMode": "EXECUTABLE", "fileContent": b"\0\xff"},
            {"filePath": "moved.md", "sourceFile": {"filePath": "readme.md", "isMove": True}},
        ],
    )
    assert [one["absolutePath"] for one in second["filesAdded"]] == ["moved.md", "src/a.sh"]
    assert second["filesAdded"][1]["fileMode"] == "EXECUTABLE"
    assert second["filesDeleted"] == [{**metadata}]
    assert codecommit.get_branch(**WHERE)["branch"]["commitId"] == second["commitId"]
    modes = codecommit.create_commit(
        **WHERE, parentCommitId=second["commitId"], setFileModes=[{"filePath": "moved.md", "fileMode": "EXECUTABLE"}]
    )
    assert [one["fileMode"] for one in modes["filesUpdated"]] == ["EXECUTABLE"]
    event = Event.objects.filter(event_name="CreateCommit", outcome=Outcome.SUCCESS).first()
    assert event.event_id == Push.objects.order_by("-pk").first().push_id
    assert event.response_elements["commitId"] == modes["commitId"]


def test_a_file_is_put_and_deleted(codecommit, oid):
    put = codecommit.put_file(
        **WHERE,
        parentCommitId=oid,
        filePath="docs/a.txt",
        fileContent=b"a\n",
        name="Ada",
        email="a@b",
        commitMessage="x",
    )
    assert put["blobId"] == blob("a\n")
    changed = codecommit.put_file(**WHERE, parentCommitId=put["commitId"], filePath="run.sh", fileContent=b"new")
    tree = gitrepo.git(Repository.objects.get().git, "ls-tree", changed["treeId"], "run.sh")
    assert tree.startswith(f"100755 blob {changed['blobId']}"), "a mode that is not given stays"
    gone = codecommit.delete_file(**WHERE, parentCommitId=changed["commitId"], filePath="d/x", keepEmptyFolders=True)
    assert (gone["filePath"], gone["blobId"]) == ("d/x", blob("x"))
    assert gitrepo.git(Repository.objects.get().git, "ls-tree", "--name-only", "main:d") == ".gitkeep"


PUT = {"filePath": "a", "fileContent": b"1"}


REFUSED = [
    ("create_commit", {}, "FileEntryRequiredException"),
    ("create_commit", {"putFiles": []}, "FileEntryRequiredException"),
    ("create_commit", {"putFiles": [{"filePath": "a"}]}, "SourceFileOrContentRequiredException"),
    (
        "create_commit",
        {"putFiles": [{**PUT, "sourceFile": {"filePath": "d/x"}}]},
        "FileContentAndSourceFileSpecifiedException",
    ),
    ("create_commit", {"putFiles": [{"fileContent": b"1"}]}, "PathRequiredException"),
    ("create_commit", {"putFiles": [{"filePath": "", "fileContent": b"1"}]}, "PathRequiredException"),
    ("create_commit", {"putFiles": [{"filePath": "a", "sourceFile": {}}]}, "PathRequiredException"),
    ("create_commit", {"putFiles": [{**PUT, "fileMode": "0644"}]}, "InvalidFileModeException"),
    ("create_commit", {"putFiles": [PUT, PUT]}, "SamePathRequestException"),
    ("create_commit", {"deleteFiles": [{}]}, "PathRequiredException"),
    ("create_commit", {"deleteFiles": [{"filePath": "nope"}]}, "FileDoesNotExistException"),
    ("create_commit", {"setFileModes": [{"filePath": "README.md"}]}, "FileModeRequiredException"),
    ("create_commit", {"putFiles": [{"filePath": "//a", "fileContent": b"1"}]}, "InvalidPathException"),
    ("create_commit", {"putFiles": [PUT], "branchName": ""}, "BranchNameRequiredException"),
    ("create_commit", {"putFiles": [PUT], "repositoryName": "none"}, "RepositoryDoesNotExistException"),
    ("create_commit", {"putFiles": [PUT], "parentCommitId": None}, "ParentCommitIdRequiredException"),
    ("put_file", {**PUT, "fileContent": b""}, "FileContentRequiredException"),
    ("put_file", {"filePath": "a"}, "FileContentRequiredException"),
    ("put_file", {"fileContent": b"1"}, "PathRequiredException"),
    ("put_file", {**PUT, "fileContent": b"x" * (6 * 1024**2 + 1)}, "FileContentSizeLimitExceededException"),
    ("put_file", {**PUT, "fileMode": "x"}, "InvalidFileModeException"),
    ("put_file", {**PUT, "email": "a b"}, "InvalidEmailException"),
    ("put_file", {"filePath": "README.md", "fileContent": b"1\n"}, "SameFileContentException"),
    ("delete_file", {"filePath": "nope"}, "FileDoesNotExistException"),
    ("delete_file", {"filePath": "README.md", "parentCommitId": None}, "ParentCommitIdRequiredException"),
    ("delete_file", {"filePath": "README.md", "parentCommitId": "x"}, "InvalidParentCommitIdException"),
]


def test_what_is_refused_has_its_own_code(codecommit, oid):
    for operation, params, code in REFUSED:
        given = {**WHERE, "parentCommitId": oid, **params}
        given = {name: value for name, value in given.items() if value is not None}
        assert refused(getattr(codecommit, operation), **given) == code, (operation, params)
    assert codecommit.get_branch(**WHERE)["branch"]["commitId"] == oid


def test_a_parent_that_is_no_longer_the_tip_is_outdated(codecommit, oid):
    made = codecommit.put_file(**WHERE, parentCommitId=oid, **PUT)
    assert refused(codecommit.put_file, **WHERE, parentCommitId=oid, **PUT) == "ParentCommitIdOutdatedException"
    assert codecommit.get_branch(**WHERE)["branch"]["commitId"] == made["commitId"]


def test_a_readers_commit_is_denied(bob, client_of, codecommit, oid):
    client = client_of(bob, "codecommit")
    assert refused(client.put_file, **WHERE, parentCommitId=oid, **PUT) == "AccessDeniedException"
    assert refused(client.delete_file, **WHERE, parentCommitId=oid, filePath="d/x") == "AccessDeniedException"
    assert refused(client.create_commit, **WHERE, parentCommitId=oid, putFiles=[PUT]) == "AccessDeniedException"


def test_the_commands_of_the_manual_make_commits(aws, codecommit, tmp_path):
    """The examples of the AWS CLI's own help, on a repository that is empty at first."""
    source = tmp_path / "ExampleSolution.py"
    source.write_bytes(b"print('solved')\n")

    def run(command: str, *args: str) -> dict[str, object]:
        done = aws("codecommit", command, "--repository-name", "demo", "--branch-name", "main", *args)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    first = run(
        "create-commit",
        "--put-files", "filePath=readme.md,fileContent='Welcome to our team repository.'",
    )  # fmt: skip
    assert [one["absolutePath"] for one in first["filesAdded"]] == ["readme.md"]
    second = run(
        "put-file",
        "--file-content", f"fileb://{source}",
        "--file-path", "/solutions/ExampleSolution.py",
        "--parent-commit-id", str(first["commitId"]),
        "--name", "Maria Garcia", "--email", "maria_garcia@example.com",
        "--commit-message", "I added a third randomization routine.",
    )  # fmt: skip
    assert gitrepo.git(Repository.objects.get().git, "show", "main:solutions/ExampleSolution.py") == "print('solved')"
    third = run("delete-file", "--file-path", "readme.md", "--parent-commit-id", str(second["commitId"]))
    assert set(third) == {"blobId", "commitId", "filePath", "treeId"}
    assert gitrepo.git(Repository.objects.get().git, "ls-tree", "-r", "--name-only", "main") == (
        "solutions/ExampleSolution.py"
    )
