"""Which refs may move: the rules that hold for everybody, the policies, and how a push as a whole is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence

from codeservices.errors import AccessDenied, ServiceError
from codeservices.iam.principal import Principal
from repos.access import authorize_ref
from repos.git import refs
from repos.git.refs import RefCommand
from repos.models import Repository

MAX_TOLD_REASONS = 5


class PushRefused(ServiceError):
    """Nothing of a push is applied, because at least one of its refs may not move.

    Attributes:
        reasons: For every refname of the push a few words.
        cause: For the audit: the first AccessDenied among the causes, or what stopped the push as a whole.
    """

    code = "PushRefusedException"
    status = 403

    def __init__(
        self, message: str, reasons: dict[str, str], cause: ServiceError | None, *, status: int | None = None
    ) -> None:
        super().__init__(message, status=status)
        self.reasons = reasons
        self.cause = cause


def check(command: RefCommand, default_branch: str | None) -> None:
    """What holds for a ref whoever moves it; raises ServiceError with the rule that is broken.

    Args:
        default_branch: The repository's, as a short name, or None before there is one.
    """
    refname = command.refname
    if command.is_create and refname.startswith(refs.HEADS):
        refs.check_branch_name(refname.removeprefix(refs.HEADS))
    if not refs.is_valid_refname(refname):
        raise ServiceError(_refname_fault(refname), code="InvalidReferenceNameException")
    if refname.startswith(refs.INTERNAL):
        raise ServiceError(f"Refs under {refs.INTERNAL} belong to the server.", code="InvalidReferenceNameException")
    if command.is_delete and default_branch is not None and refname == refs.HEADS + default_branch:
        raise ServiceError(
            "The default branch can't be deleted.",
            code="DefaultBranchCannotBeDeletedException",
            hint="Make another branch the default first.",
        )


def judge(principal: Principal, repository: Repository, commands: Sequence[RefCommand]) -> None:
    """May a principal push these, each by the rules and the policies? Raises PushRefused, which tells every fault."""
    causes: dict[str, ServiceError] = {}
    default_branch = refs.default_branch(repository.git)
    for command in commands:
        try:
            check(command, default_branch)
            authorize_ref(principal, "codecommit:GitPush", repository, command.refname)
        except ServiceError as error:
            causes[command.refname] = error
    if not causes:
        return
    first = refs.shown(next(iter(causes)))
    reasons = {command.refname: f"push refused because of {first}" for command in commands}
    for refname, cause in causes.items():
        denied = isinstance(cause, AccessDenied)
        reasons[refname] = "not authorized to perform codecommit:GitPush on this ref" if denied else cause.message
    told = [f"{refs.shown(refname)}: {_sentence(cause)}" for refname, cause in causes.items()]
    if len(told) > MAX_TOLD_REASONS:
        told[MAX_TOLD_REASONS:] = [f"and {len(told) - MAX_TOLD_REASONS} more refs."]
    told.append("Nothing of this push was applied.")
    denial = next((cause for cause in causes.values() if isinstance(cause, AccessDenied)), None)
    raise PushRefused("\n".join(told), reasons, denial)


def refused(commands: Iterable[RefCommand], cause: ServiceError) -> PushRefused:
    """The refusal of a push as a whole, with the same sentence for each of its refs."""
    reasons = {command.refname: cause.message for command in commands}
    return PushRefused(f"{_sentence(cause)}\nNothing of this push was applied.", reasons, cause, status=cause.status)


@contextlib.contextmanager
def refusing_all(commands: Sequence[RefCommand]) -> Iterator[None]:
    """Turn what stops a push as a whole (an archived repository, a quota, no audit) into its refusal."""
    try:
        yield
    except PushRefused:
        raise
    except ServiceError as error:
        raise refused(commands, error) from error


def _refname_fault(refname: str) -> str:
    raw = refs.encode(refname)
    if len(raw) > refs.MAX_REFNAME_BYTES:
        return f"A refname has at most {refs.MAX_REFNAME_BYTES:,} bytes, not {len(raw):,}."
    longest = max(len(part) for part in raw.split(b"/"))
    if longest > refs.MAX_PART_BYTES:
        return f"A part of a refname between slashes has at most {refs.MAX_PART_BYTES} bytes, not {longest}."
    return "This is no valid refname: see “git help check-ref-format”."


def _sentence(cause: ServiceError) -> str:
    return f"{cause.message} {cause.hint}".strip()
