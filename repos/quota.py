"""What a repository may take on disk, and what is left of it.

The size is that of the last measurement, after a push and by upkeep: two pushes at once may together exceed what was
left, and the next one is refused.
"""

from __future__ import annotations

from django.conf import settings

from codeservices import sizes
from codeservices.errors import InvalidInput, LimitExceeded
from codeservices.iam.principal import Principal
from repos.access import repository_for
from repos.models import Repository

# Ours: CodeCommit has no quota that anybody could set. No managed policy but AdministratorAccess allows it.
ACTION = "codeservices:PutRepositoryQuota"
MAX_QUOTA_BYTES = 2**60


class QuotaExceeded(LimitExceeded):
    """The repository takes all that it may."""


def limit_bytes(repository: Repository) -> int | None:
    """What the repository may take on disk: its own quota, else the installation's; None where there is no limit."""
    quota = settings.REPOSITORY_QUOTA_BYTES if repository.quota_bytes is None else repository.quota_bytes
    return quota or None


def remaining_bytes(repository: Repository) -> int | None:
    """How much a push may still bring, never less than a byte since git takes 0 for "any"; None: no limit."""
    limit = limit_bytes(repository)
    return None if limit is None else max(1, limit - repository.size_bytes)


def check(repository: Repository, brought_bytes: int = 1) -> None:
    """Raises QuotaExceeded where the repository has no room for what is brought; what brings none need not ask."""
    limit = limit_bytes(repository)
    if limit is not None and repository.size_bytes + brought_bytes > limit:
        raise QuotaExceeded(
            f"{repository.name} takes {sizes.words(repository.size_bytes)} of its {sizes.words(limit)}: "
            + ("nothing can be added." if brought_bytes == 1 else f"{sizes.words(brought_bytes)} can't be added."),
            hint="Delete branches that hold large files, or ask an administrator for a larger quota.",
        )


def set_quota(principal: Principal, name: str, quota_bytes: int | None) -> Repository:
    """Give a repository a quota of its own: 0 for no limit, None for the installation's default.

    Raises:
        InvalidInput: The quota is negative or beyond reason.
    """
    repository = repository_for(principal, ACTION, name)
    if quota_bytes is not None and not 0 <= quota_bytes <= MAX_QUOTA_BYTES:
        raise InvalidInput(f"A quota has 0 to {MAX_QUOTA_BYTES:,} bytes, not {quota_bytes:,}.")
    repository.quota_bytes = quota_bytes
    repository.save(update_fields=["quota_bytes"])
    return repository
