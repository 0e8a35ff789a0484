"""As whom the server's own work on somebody's behalf acts: the user who asked for it, with the policies of today."""

from __future__ import annotations

from codeservices.errors import ServiceError
from codeservices.iam.principal import Principal
from repos.models import RemoteSource


def principal_of(source: RemoteSource) -> Principal:
    """The owner of an import or a mirror.

    Raises:
        ServiceError: The user is deleted or locked out: nobody's rights are left to act with.
    """
    if source.owner is None or not source.owner.is_active:
        raise ServiceError(
            f"{source.owner_name}, who set this up, is no active user any more.",
            code="OwnerGone",
            status=403,
            hint="Whoever saves the settings anew becomes the owner.",
        )
    return source.owner.principal
