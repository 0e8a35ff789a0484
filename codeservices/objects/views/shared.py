"""What the pages of buckets share: keys as people read them."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

DELIMITER = "/"


@dataclass(frozen=True)
class Crumb:
    """A folder on the way to a key."""

    name: str
    prefix: str


def crumbs(prefix: str) -> list[Crumb]:
    """The folders that a prefix leads through, the last of which may be cut short."""
    found, end = [], 0
    while (at := prefix.find(DELIMITER, end)) >= 0:
        found.append(Crumb(prefix[end:at], prefix[: at + 1]))
        end = at + 1
    return [*found, Crumb(prefix[end:], prefix)] if end < len(prefix) else found


def folder_of(key: str) -> str:
    """The prefix of the folder that shows a key."""
    return key[: key.rstrip(DELIMITER).rfind(DELIMITER) + 1]


def name_of(key: str) -> str:
    """A key's last part, with its slash where it ends in one."""
    return key[len(folder_of(key)) :]


def folder_url(bucket_name: str, prefix: str) -> str:
    """Where a folder is shown."""
    return reverse("objects:bucket", args=[bucket_name], query={"prefix": prefix} if prefix else None)


def object_url(bucket_name: str, key: str) -> str:
    """Where an object is shown."""
    return reverse("objects:object", args=[bucket_name], query={"key": key})
