"""Quick search: one question to every source that the apps have registered."""

from __future__ import annotations

from itertools import islice

from codeservices import registry
from codeservices.iam.principal import Principal
from codeservices.registry import SearchResult

# A longer text names nothing here: names have at most 255 characters.
MAX_TEXT = 255


def find(principal: Principal, text: str, limit_each: int) -> list[tuple[str, list[SearchResult]]]:
    """What the principal may see whose name holds the text, by kind.

    Args:
        principal: Who asks; each source filters by its policies.
        text: As typed; white space around it is dropped, and nothing is found for an empty one.
        limit_each: At most so many results of each source.

    Returns:
        (kind, results) for every kind with results, in the order in which the sources were registered.
    """
    wanted = text.strip()[:MAX_TEXT]
    if not wanted:
        return []
    groups: dict[str, list[SearchResult]] = {}
    for source in registry.search_sources:
        for result in islice(source.find(principal, wanted, limit_each), limit_each):
            groups.setdefault(result.kind, []).append(result)
    return list(groups.items())
