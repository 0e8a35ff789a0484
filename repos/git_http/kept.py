"""What is kept of git's answers: those about refs in memory, whole packs in files; and what /metrics tells of them."""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import Iterable

from django.conf import settings

from codeservices import registry
from repos.git import ref_answers, refs, wire
from repos.git.configuration import fingerprint
from repos.git.fetch_answer import FetchAnswers
from repos.git.fetch_cache import FetchCache
from repos.git.fetch_counts import Count
from repos.git.fetch_request import FetchRequest
from repos.git.ref_answers import RefAnswers
from repos.git_http.request import GitRequest
from repos.models import Repository

about_refs = RefAnswers()

_answers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, FetchAnswers] = weakref.WeakKeyDictionary()

_HELP = {
    Count.HIT: "Clones and fetches answered from a file.",
    Count.SHARED: "Clones and fetches that read an answer while git wrote it for another.",
    Count.GENERATED: "Clones and fetches, of those that may be shared, for which git packed.",
    Count.EVICTED: "Answers removed for want of room.",
}


def register() -> None:
    """Called once when the app is ready."""
    registry.register_meter(registry.Meter("git fetch cache", read))


def read() -> Iterable[tuple[str, str, dict[str, str], float]]:
    """Rows for /metrics; the counters are those of all web processes of the machine."""
    cache = _cache()
    if cache is None:
        return
    for what, count in zip(Count, cache.counts(), strict=True):
        yield f"codeservices_git_fetch_cache_{what.name.lower()}_total", _HELP[what], {}, count
    entries, size = cache.kept()
    yield "codeservices_git_fetch_cache_entries", "Answers that are kept.", {}, entries
    yield "codeservices_git_fetch_cache_bytes", "Bytes of the answers that are kept.", {}, size


def packs() -> FetchAnswers | None:
    """The kept packs, for this event loop; None where none may be kept."""
    cache = _cache()
    if cache is None:
        return None
    loop = asyncio.get_running_loop()
    if loop not in _answers:
        _answers[loop] = FetchAnswers(cache)
    return _answers[loop]


class Admitted:
    """A repository whose caller was admitted, its refs at that moment, and what git said of them to others before.

    Made in a thread, since it reads the refs' files.
    """

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.state = refs.stored_state(repository.git)
        self.key = b""
        self.advertisement: bytes | None = None

    def look_up_advertisement(self, request: GitRequest) -> None:
        """Set `key` to that of what info/refs answers, and `advertisement` where it is known; the act is then over."""
        # Protocol 2 tells what the server can do and nothing of the refs; a repository's configuration never changes.
        is_blind = request.service == "upload-pack" and wire.is_version_2(request.protocol)
        state = "" if is_blind else self.state.digest
        self.key = self._key("info/refs", request.service, request.protocol, state)
        self.advertisement = about_refs.get(self.key)
        if self.advertisement is not None:
            request.write_event()

    def request_key(self, asked: FetchRequest, protocol: str) -> bytes:
        """The key of what upload-pack answers to a request."""
        return self._key(asked.kind, protocol, asked.canonical, self.state.digest)

    def is_current(self) -> bool:
        """Whether the refs are still those of `state`; reads files."""
        return refs.stored_state(self.repository.git) == self.state

    def _key(self, *parts: str | bytes) -> bytes:
        return ref_answers.key_of(str(self.repository.repository_id), _program(), *parts)


@functools.cache
def _program() -> str:
    # A git that is upgraded under a running process says the same of refs; the process is restarted soon.
    return fingerprint()


def _cache() -> FetchCache | None:
    if not settings.GIT_CACHE_BYTES:
        return None
    return _made(settings.GIT_CACHE_ROOT, settings.GIT_CACHE_BYTES, settings.GIT_CACHE_SECONDS)


@functools.cache
def _made(folder: object, max_bytes: int, seconds: int) -> FetchCache:
    return FetchCache(settings.GIT_CACHE_ROOT, max_bytes=max_bytes, seconds=seconds)
