"""A build's log as the product reads it: chunks from the object store, the live tail from Redis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from django.conf import settings
from django.db.models import F, Max
from redis import Redis

from builds.logformat import chunk_text
from builds.logreader import LogReader
from builds.models import Build, LogChunk
from codeservices import storage
from codeservices.iam import arn
from codeservices.iam.authorize import authorize, is_allowed
from codeservices.iam.principal import Principal

READ_LOG = "logs:GetLogEvents"
# A page waits so long for the live tail; the stored part is there without Redis.
REDIS_SECONDS = 3
LINES_A_READ = 5_000


@cache
def redis_client() -> Redis:
    """The process's client for reading logs; thread-safe, connects at its first command."""
    return Redis.from_url(settings.REDIS_URL, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)


def log_arn(build: Build) -> str:
    """The ARN of a build's log stream, which policies about logs name."""
    resource = f"log-group:/aws/codebuild/{build.project_name}:log-stream:{build.uuid}"
    return str(arn.Arn("aws", "logs", settings.REGION, settings.ACCOUNT_ID, resource))


def authorize_log(principal: Principal, build: Build) -> None:
    """Raises AccessDenied where the principal may not read the log, which tells more than the build does."""
    authorize(principal, READ_LOG, log_arn(build))


def may_read_log(principal: Principal, build: Build) -> bool:
    return is_allowed(principal, READ_LOG, log_arn(build))


def reader_of(build_pk: int, build_uuid: str) -> LogReader:
    """The reader of one build's log."""

    def find(first: int, count: int) -> list[LogChunk]:
        wanted = LogChunk.objects.filter(build=build_pk, first_line__lt=first + count)
        return list(wanted.annotate(behind=F("first_line") + F("line_count")).filter(behind__gt=first))

    return LogReader(build_uuid, redis_client(), find, lambda chunk: storage.read(chunk.key))


def stored_lines(build_pks: Iterable[int]) -> dict[int, int]:
    """How many lines of each build are in chunks; builds without chunks are left out."""
    rows = LogChunk.objects.filter(build__in=list(build_pks)).order_by().values_list("build")
    return dict(rows.annotate(behind=Max(F("first_line") + F("line_count"))))


def line_count(build: Build) -> int:
    """How many lines the log has by now."""
    if build.is_log_complete:
        return build.log_line_count
    return max(reader_of(build.pk, str(build.uuid)).live_end(), stored_lines([build.pk]).get(build.pk, 0))


def text_pieces(build: Build) -> Iterator[bytes]:
    """The whole log as text, piece by piece; of a running build, as far as it has come."""
    behind = 0
    for chunk in LogChunk.objects.filter(build=build).iterator(chunk_size=100):
        yield chunk_text(storage.read(chunk.key))
        behind = chunk.first_line + chunk.line_count
    reader = reader_of(build.pk, str(build.uuid))
    while lines := reader.window(behind, LINES_A_READ):
        yield "".join(f"{line.text}\n" for line in lines).encode()
        behind = lines[-1].number + 1
