"""What repositories take on disk."""

from __future__ import annotations

from django.utils import timezone

from repos.git import disk
from repos.models import Repository


def measure_size(repository: Repository) -> int:
    """Measure what a repository's objects and refs take on disk, and keep it on the row; in bytes.

    It costs a look at each file of the repository, a few milliseconds where objects are packed.

    Raises:
        RepositoryMissing: Its objects do not lie on this disk.
    """
    size_bytes = disk.size(repository.git)
    now = timezone.now()
    Repository.all_objects.filter(pk=repository.pk).update(size_bytes=size_bytes, size_measured_at=now)
    repository.size_bytes, repository.size_measured_at = size_bytes, now
    return size_bytes
