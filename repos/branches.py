"""Create and delete branches and git's tags: what API and console share.

CodeCommit's API knows branches alone. A tag is made and deleted as a push would: with codecommit:GitPush on its ref.
"""

from __future__ import annotations

from django.utils import timezone

from codeservices.errors import Conflict, InvalidInput, NotFound
from codeservices.iam.principal import Principal
from repos import names, oids
from repos.access import check_writable, on_ref, repository_for
from repos.git import objects, program, refs
from repos.git.refs import InvalidBranchName, RefCommand
from repos.models import Repository
from repos.pushes import ref_updates

CREATE_BRANCH = "codecommit:CreateBranch"
DELETE_BRANCH = "codecommit:DeleteBranch"
MOVE_TAG = "codecommit:GitPush"
MAX_MESSAGE_CHARACTERS = 10_000


class BranchNameExists(Conflict):
    """There is a branch of that name."""

    code = "BranchNameExistsException"


class TagExists(Conflict):
    """There is a tag of that name."""

    code = "TagNameExistsException"


class TagMissing(NotFound):
    """There is no such tag."""

    code = "TagDoesNotExistException"


class InvalidTagName(InvalidInput):
    """A tag can't be called that."""

    code = "InvalidTagNameException"


class DefaultBranch(InvalidInput):
    """The default branch stays."""

    code = "DefaultBranchCannotBeDeletedException"


def create_branch(principal: Principal, repository_name: str, branch: str, oid: str) -> Repository:
    """A new branch at an existing commit. The first one of a repository becomes its default branch.

    Raises:
        InvalidBranchName, InvalidInput: The name, or the commit's id, breaks a rule; a branch "a" bars "a/b".
        BranchNameExists: The name is taken.
        NotFound: There is no such commit.
    """
    refname = refs.HEADS + refs.check_branch_name(branch)
    oids.check(oid)
    repository = opened_for(principal, CREATE_BRANCH, repository_name, refname)
    with repository.git as git:
        check_free(repository, refname)
        try:
            kind, _ = objects.read(git, oid)
        except NotFound:
            kind = "tree"
        if kind != "commit":
            raise NotFound(f"{repository.name} has no commit {oid}.", code="CommitDoesNotExistException")
        _create(principal, CREATE_BRANCH, repository, refname, oid, BranchNameExists)
    return repository


def delete_branch(principal: Principal, repository_name: str, branch: str) -> str | None:
    """Delete a branch; its commits stay reachable by their ids until upkeep removes them.

    Returns:
        The oid it had, or None where there is no such branch, which is no error, as in CodeCommit.

    Raises:
        DefaultBranch: It is the default one.
        RefMoved: It was pushed to at this very moment.
    """
    refname = refs.HEADS + refs.check_branch_name(branch)
    repository = opened_for(principal, DELETE_BRANCH, repository_name, refname)
    if repository.default_branch == branch:
        raise DefaultBranch(
            f"“{refs.shown(branch)}” is the default branch of {repository.name}, which can't be deleted.",
            hint="Make another branch the default first.",
        )
    oid = refs.tip(repository.git, refname)
    if oid is not None:
        ref_updates.apply(principal, DELETE_BRANCH, repository, [RefCommand(refname, oid, refs.ZERO_OID)])
    return oid


def create_tag(principal: Principal, repository_name: str, tag: str, oid: str, message: str = "") -> Repository:
    """A new tag of an object: an annotated one where there is a message.

    Raises:
        InvalidTagName, InvalidInput: The name breaks a rule, or the message is too long.
        TagExists: The name is taken.
    """
    refname = tag_refname(tag)
    if len(message) > MAX_MESSAGE_CHARACTERS:
        raise InvalidInput(f"A tag's message has at most {MAX_MESSAGE_CHARACTERS:,} characters, not {len(message):,}.")
    repository = opened_for(principal, MOVE_TAG, repository_name, refname)
    with repository.git:
        _check_free(repository, refname, TagExists, InvalidTagName)
        made = _annotated(principal, repository, tag, oids.check(oid), message) if message.strip() else oid
        _create(principal, MOVE_TAG, repository, refname, made, TagExists)
    return repository


def delete_tag(principal: Principal, repository_name: str, tag: str) -> str:
    """Delete a tag; the oid it had. Raises TagMissing, RefMoved."""
    refname = tag_refname(tag)
    repository = opened_for(principal, MOVE_TAG, repository_name, refname)
    oid = refs.tip(repository.git, refname)
    if oid is None:
        raise TagMissing(f"No tag of {repository.name} is called “{refs.shown(tag)}”.")
    ref_updates.apply(principal, MOVE_TAG, repository, [RefCommand(refname, oid, refs.ZERO_OID)])
    return oid


def tag_refname(tag: str) -> str:
    """The full refname of a tag; raises InvalidTagName with the rule that the name breaks."""
    refname = refs.TAGS + tag
    if not tag:
        raise InvalidTagName("A tag name is required.")
    if tag.startswith("-") or tag == "HEAD" or not refs.is_valid_refname(refname):
        raise InvalidTagName(
            f"“{refs.shown(tag)[:200]}” can't name a tag.",
            hint="A name has no space, .., //, @{ or any of ~ ^ : ? * [ \\, does not begin with / . or - or end with / "
            "or ., and no part of it begins with . or ends with .lock.",
        )
    return refname


def opened_for(principal: Principal, action: str, repository_name: str, refname: str) -> Repository:
    """The repository, for an act that moves this ref of it; raises as `repository_for`, and RepositoryArchived."""
    names.check_name(repository_name)
    ref_updates.defer_act()
    repository = repository_for(principal, action, repository_name, on_ref(refname))
    check_writable(repository)
    return repository


def check_free(repository: Repository, refname: str) -> None:
    """That a new branch may have this refname; raises BranchNameExists, InvalidBranchName."""
    _check_free(repository, refname, BranchNameExists, InvalidBranchName)


def _check_free(repository: Repository, refname: str, exists: type[Conflict], in_the_way: type[InvalidInput]) -> None:
    short = refs.shown(refname.split("/", 2)[2])
    if refs.tip(repository.git, refname) is not None:
        raise exists(f"{repository.name} has “{short}” already.")
    other = refs.in_the_way(repository.git, refname)
    if other is not None:
        raise in_the_way(
            f"“{short}” can't be made beside “{refs.shown(other.split('/', 2)[2])}”: "
            "git keeps the one as a file where the other needs a folder."
        )


def _create(
    principal: Principal, action: str, repository: Repository, refname: str, oid: str, exists: type[Conflict]
) -> None:
    try:
        ref_updates.apply(principal, action, repository, [RefCommand(refname, refs.ZERO_OID, oid)])
    except ref_updates.RefMoved as error:  # somebody was quicker
        raise exists(f"{repository.name} has “{refs.shown(refname.split('/', 2)[2])}” already.") from error


def _annotated(principal: Principal, repository: Repository, tag: str, oid: str, message: str) -> str:
    """Store a tag object. Nobody reaches it before its ref is made; upkeep removes it where that fails."""
    kind, _ = objects.read(repository.git, oid)
    tagger = f"{_person(principal.name)} <> {int(timezone.now().timestamp())} +0000"
    text = "\n".join(line.rstrip() for line in message.replace("\0", "").strip().splitlines())
    head = f"object {oid}\ntype {kind}\ntag {tag}\ntagger {tagger}\n\n{text}\n"
    return program.run(repository.git, ["mktag"], input=refs.encode(head)).decode("ascii").strip()


def _person(name: str) -> str:
    return "".join(character for character in name if character not in "<>\n").strip() or "nobody"
