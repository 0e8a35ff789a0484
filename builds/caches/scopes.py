"""Which builds share a cache.

A build reads the caches of its own branch or tag and those of the project's default branch, and writes those of its
own: whoever may push to one branch can't put anything into the builds of another. One that somebody started otherwise
than the project says, with another buildspec, image or variable, reads the same caches, and writes such that only
builds of the same person read: to start builds is less than to change the project or to push. Projects share where
both name the same cacheNamespace and the same place.

Source: AWS CodeBuild User Guide, "Cache sharing between projects", whose caches don't know branches; GitHub Docs,
"Restrictions for accessing a cache", whose do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Owner:
    """Whose caches.

    Attributes:
        project_pk: Of the project; counts where there is no namespace.
        namespace: The project's cacheNamespace.
        person: The ARN of whom caches belong to that are kept apart; "" for the project's own.
        place: "BUCKET/PREFIX", or "" for a local cache.
        host: The worker's machine, of a local cache.
    """

    project_pk: int
    namespace: str = ""
    place: str = ""
    host: str = ""
    person: str = ""

    def scope(self, refname: str) -> str:
        """A digest of all that keeps the caches of this owner and this ref apart from others."""
        shared = ["namespace", self.namespace] if self.namespace else ["project", str(self.project_pk)]
        return _digest([self.place, self.host, *shared, refname, *(["person", self.person] if self.person else [])])


def version(paths: Sequence[str]) -> str:
    """A digest of cache.paths: other paths are another cache under the same key."""
    return _digest(list(paths))


def _digest(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
