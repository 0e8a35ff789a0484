"""CodeCommit's own names for broken constraints: it has a class for each member that is missing or malformed.

Source: AWS CodeCommit API Reference, the errors of each operation.
"""

from __future__ import annotations

from botocore.model import OperationModel

from codeservices.aws.validate import Problem, sentences
from codeservices.errors import InvalidInput, ServiceError
from repos import names

# Members whose errors are not called after them.
_CALLED = {
    "oldName": "RepositoryName",
    "newName": "RepositoryName",
    "defaultBranchName": "BranchName",
    "nextToken": "ContinuationToken",
    "tags": "TagsMap",
    "tagKeys": "TagKeysList",
    "triggers": "RepositoryTriggersList",
    "commitIds": "CommitIdsList",
    "kmsKeyId": "EncryptionKey",
    "commitSpecifier": "Commit",
    "afterCommitSpecifier": "Commit",
    "sourceCommitSpecifier": "Commit",
    "destinationCommitSpecifier": "Commit",
    "afterCommitId": "CommitId",
    "beforeCommitId": "CommitId",
    "content": "CommentContent",
    "inReplyTo": "CommentId",
    "filePath": "Path",
    "folderPath": "Path",
}
# Members inside of others, by their own names.
_INNER = {
    "content": "FileContent",
    "fileMode": "FileMode",
    "filePath": "Path",
    "relativeFileVersion": "RelativeFileVersionEnum",
    "replacementType": "ReplacementType",
}
# Members that are lists of files: the errors are those of what an entry says.
_FILE_LISTS = ("putFiles", "deleteFiles", "setFileModes")
_TRIGGER_PARTS = {
    "name": ("RepositoryTriggerName", "RepositoryTriggerName"),
    "destinationArn": ("RepositoryTriggerDestinationArn", "RepositoryTriggerDestinationArn"),
    "events": ("RepositoryTriggerEventsList", "RepositoryTriggerEvents"),
    "branches": ("RepositoryTriggerBranchNameList", "RepositoryTriggerBranchName"),
}


def error(operation: OperationModel, problems: list[Problem]) -> ServiceError:
    """The one error that CodeCommit would raise for the first of these problems."""
    problem = problems[0]
    sentence = sentences([problem])
    if _is_name(problem):
        try:
            names.check_name(problem.value or "")
        except InvalidInput as known:  # the rule of names has sentences of its own, which the console shows too
            return known
    if problem.path.rpartition(".")[2] == "fileContent" and problem.rule == "max":
        return InvalidInput(sentence, code="FileContentSizeLimitExceededException")
    required, invalid = _stems(problem)
    declared = {shape.name for shape in operation.error_shapes}
    candidates = [f"{required}RequiredException"] if problem.is_missing else []
    if problem.rule == "max":
        candidates.append(f"{invalid}SizeLimitExceededException")
    candidates += [f"Invalid{invalid}Exception", f"{invalid}InvalidIdException"]
    for code in candidates:
        if code in declared:
            return InvalidInput(sentence, code=code)
    return ServiceError(sentence, code="ValidationException")


def _is_name(problem: Problem) -> bool:
    is_one = problem.member in ("repositoryName", "oldName", "newName") or problem.path.startswith("repositoryNames.")
    return is_one and (problem.value is None or isinstance(problem.value, str))


def _stems(problem: Problem) -> tuple[str, str]:
    """What the errors of this member are called after: where it is missing, and where it is malformed."""
    parts = problem.path.split(".")
    if problem.member == "triggers" and len(parts) > 3 and parts[3] in _TRIGGER_PARTS:
        return _TRIGGER_PARTS[parts[3]]
    if len(parts) > 1 and parts[-1] in _INNER:
        return _INNER[parts[-1]], _INNER[parts[-1]]
    member = parts[-1] if problem.member in _FILE_LISTS else problem.member
    stem = _CALLED.get(member, member[0].upper() + member[1:])
    return stem, stem
