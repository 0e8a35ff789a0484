"""The threads of the S3 door: those that ask the database, and those that move bytes."""

from __future__ import annotations

from codeservices.request_threads import RequestThreads

database = RequestThreads(8, "s3-request")
# What reads, writes and copies bytes; a disk that hangs must leave the others free.
files = RequestThreads(16, "s3-bytes")


def close_connections() -> None:
    """Close the database connections of these threads, when nobody asks any more."""
    database.close_connections()
    files.close_connections()
