"""The errors a caller can put right, each with AWS's code, a sentence and where possible a hint.

One place each turns them into a page, a fragment, a wire body or a `remote:` line.
"""

from __future__ import annotations


class ServiceError(Exception):
    """Something the caller asked for can't be done, and the sentence says why.

    Attributes:
        message: What happened, to which thing, and what to do.
        code: The error's name on the AWS wire, with "Exception" where the JSON services have it.
        status: The HTTP status of a page that shows it.
        hint: A second sentence on how to put it right; may be empty.
    """

    code = "InvalidInputException"
    status = 400

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


class AccessDenied(ServiceError):
    """No policy allows the act, or a statement denies it.

    Attributes:
        principal_arn: Who asked.
        action: The IAM action, "codecommit:GitPush".
        resource: The ARN acted on, or "*".
        statement: The statement that denied it as JSON text, or None where none allowed it.
    """

    code = "AccessDeniedException"
    status = 403

    def __init__(self, principal_arn: str, action: str, resource: str, *, statement: str | None = None) -> None:
        if statement is None:
            reason = f"because no identity-based policy allows the {action} action"
        else:
            reason = "with an explicit deny in an identity-based policy"
        super().__init__(
            f"User: {principal_arn} is not authorized to perform: {action} on resource: {resource} {reason}"
        )
        self.principal_arn = principal_arn
        self.action = action
        self.resource = resource
        self.statement = statement
