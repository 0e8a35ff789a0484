"""A build's log as the product reads it: chunks from the object store, the live tail from Redis."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from django.conf import settings
from django.db.models import F, Max
from redis import Redis

from builds.logs.format import Block, decode_chunk
from builds.logs.groups import log_arn
from builds.logs.reader import LogReader
from builds.models import Build, LogChunk
from codeservices import storage
from codeservices.iam.authorize import authorize, is_allowed
from codeservices.iam.principal import Principal

READ_LOG = "logs:GetLogEvents"
# A page waits so long for the live tail; the stored part is there without Redis.
REDIS_SECONDS = 3


@cache
def redis_client() -> Redis:
    """The process's client for reading logs; thread-safe, connects at its first command."""
    return Redis.from_url(settings.REDIS_URL, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)


def authorize_log(principal: Principal, build: Build) -> None:
    """Raises AccessDenied where the principal may not read the log, which tells more than the build does."""
    authorize(principal, READ_LOG, log_arn(build))


def may_read_log(principal: Principal, build: Build) -> bool:
    """Whether to offer the build's log to a principal; nothing is recorded."""
    return is_allowed(principal, READ_LOG, log_arn(build))


def reader_of(build_pk: int, build_uuid: str) -> LogReader:
    """The reader of one build's log."""

    chunks = LogChunk.objects.filter(build=build_pk).order_by("first_line")

    def find(first: int, count: int) -> list[LogChunk]:
        # The chunk that line `first` is in begins at it or before; two look-ups in the index, however long the log is.
        before = chunks.filter(first_line__lte=first).last()
        found = [before] if before is not None and before.first_line + before.line_count > first else []
        return [*found, *chunks.filter(first_line__gt=first, first_line__lt=first + count)]

    return LogReader(build_uuid, redis_client(), find, lambda chunk: storage.read(chunk.key))


def chunk_block(chunk: LogChunk) -> Block:
    """The lines of one stored chunk."""
    return decode_chunk(storage.read(chunk.key))


def stored_lines(build_pks: Iterable[int]) -> dict[int, int]:
    """How many lines of each build are in chunks; builds without chunks are left out."""
    rows = LogChunk.objects.filter(build__in=list(build_pks)).order_by().values_list("build")
    return dict(rows.annotate(behind=Max(F("first_line") + F("line_count"))))


def line_count(build: Build) -> int:
    """How many lines the log has by now."""
    if build.is_log_complete:
        return build.log_line_count
    return max(reader_of(build.pk, str(build.uuid)).live_end(), stored_lines([build.pk]).get(build.pk, 0))
