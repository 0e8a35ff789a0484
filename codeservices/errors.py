"""The errors a caller can put right, each with AWS's code, a sentence and where possible a hint.

One place each turns them into a page, a fragment, a wire body or a `remote:` line.
"""

from __future__ import annotations

from typing import Protocol


class ServiceError(Exception):
    """Something the caller asked for can't be done, and the sentence says why.

    Attributes:
        message: What happened, to which thing, and what to do.
        code: The error's name on the AWS wire, with "Exception" where the JSON services have it.
        status: The HTTP status of a page that shows it.
        hint: A second sentence on how to put it right; may be empty.
        way_back: What a page that shows it leads to: an address and the name of what is there.
    """

    code = "InvalidInputException"
    status = 400
    way_back: tuple[str, str] | None = None

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status


class InvalidInput(ServiceError):
    """A value breaks a rule."""


class NotFound(ServiceError):
    """The thing named does not exist, or the caller may not know that it does."""

    code = "ResourceNotFoundException"
    status = 404


class Conflict(ServiceError):
    """The thing exists already, or moved while the caller was working on it."""

    code = "ResourceAlreadyExistsException"
    status = 409


class LimitExceeded(ServiceError):
    """A quota is reached."""

    code = "LimitExceededException"
    status = 409


class Denial(Protocol):
    """What a refusal needs of the decision behind it (iam/policy/model.py), without knowing the policy language."""

    @property
    def is_explicit_deny(self) -> bool: ...

    @property
    def statement(self) -> str | None: ...

    @property
    def limit(self) -> str: ...

    @property
    def place(self) -> str: ...


class AccessDenied(ServiceError):
    """No policy allows the act, or a statement denies it.

    The message is AWS's own sentence; the hint adds in brackets which statement of which policy it was.

    Attributes:
        principal_arn: Who asked.
        action: The IAM action, "codecommit:GitPush".
        resource: The ARN acted on, or "*".
        decision: What was decided and why: the statement's policy, number, Sid and lines, or the limit that stopped it.
        policy_kind: "identity-based policy", "session policy", "permissions boundary" or "resource-based policy".
        statement: The statement that denied it as JSON text, or None where none allowed it.
    """

    code = "AccessDeniedException"
    status = 403

    def __init__(
        self,
        principal_arn: str,
        action: str,
        resource: str,
        decision: Denial | None = None,
        policy_kind: str = "identity-based policy",
    ) -> None:
        kind = decision.limit if decision is not None and decision.limit else policy_kind
        is_explicit = decision is not None and decision.is_explicit_deny
        if is_explicit:
            reason = f"with an explicit deny in {'an' if kind[0] in 'aeiou' else 'a'} {kind}"
        else:
            reason = f"because no {kind} allows the {action} action"
        super().__init__(
            f"User: {principal_arn} is not authorized to perform: {action} on resource: {resource} {reason}",
            hint=f"({decision.place})" if decision is not None and is_explicit and decision.place else "",
        )
        self.principal_arn = principal_arn
        self.action = action
        self.resource = resource
        self.decision = decision
        self.policy_kind = kind
        self.statement = decision.statement if decision is not None and is_explicit else None

    def about(self, resource: str) -> AccessDenied:
        """The same refusal told of another resource: the one that was asked for, where the true ARN would tell more."""
        return AccessDenied(self.principal_arn, self.action, resource, self.decision, self.policy_kind)
