"""The tags of what is acted on, which policies see as aws:ResourceTag/KEY, whatever door the act came through.

Each app says in `ready()` how the tags of its ARNs are read. They are read when the first condition of an act asks,
once a resource; who has the row at hand already hands them over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from codeservices.audit.acts import current_act

# Of an ARN, the tags of what it names; empty where that has none, or does not exist.
ReadTags = Callable[[str], Mapping[str, str]]

_readers: dict[str, ReadTags] = {}
_keys: dict[str, tuple[str, ...]] = {}


def register(service: str, read: ReadTags, *, own_key: str = "") -> None:
    """Add the reader for ARNs of a service ("codecommit").

    Args:
        own_key: What the service itself calls aws:ResourceTag, where it has a name of its own ("iam:ResourceTag").
    """
    _readers[service] = read
    _keys[service] = tuple(filter(None, ("aws:ResourceTag", own_key)))


def remember(resource: str, tags: Mapping[str, str]) -> None:
    """Spare this act the look-up of a resource's tags."""
    act = current_act()
    if act is not None:
        act.resource_tags[resource] = dict(tags)


def conditions(resource: str) -> dict[str, str]:
    """The condition keys that tell of a resource's tags."""
    parts = resource.split(":", 3)
    service = parts[2] if len(parts) == 4 else ""
    read = _readers.get(service)
    if read is None:
        return {}
    act = current_act()
    known = act.resource_tags.get(resource) if act is not None else None
    tags = read(resource) if known is None else known
    if known is None:
        remember(resource, tags)
    return {f"{name}/{key}": value for name in _keys[service] for key, value in tags.items()}
