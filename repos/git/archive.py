"""A commit's tree, or a folder of it, as one file: zip or tar.gz, as git makes it.

The attributes in the tree count, as they do for anybody who runs git archive on a clone: export-ignore leaves a file
out, export-subst fills in what git log would say of the commit.

Source: git-archive(1), gitattributes(5).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, Literal

from repos.git import program
from repos.git.store import BareRepository

Format = Literal["zip", "tar.gz"]
CONTENT_TYPES: Final[dict[Format, str]] = {"zip": "application/zip", "tar.gz": "application/gzip"}
# Long enough for a large repository and a slow line, and still an end.
TIMEOUT_SECONDS: Final = 3600.0
# A small file with export-subst can ask a thousand times for a message of megabytes. Larger files are streamed, so that
# no honest archive comes near the limit; nothing is filled into them.
MEMORY_BYTES: Final = 1024**3
STREAMED_BYTES: Final = "32m"


def stream(
    repository: BareRepository,
    oid: str,
    path: str,
    form: Format,
    *,
    prefix: str,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Generator[bytes, None, None]:
    """The archive in pieces; leave or close the iterator at any time.

    Args:
        oid: A commit; its time is the time of every file, so that the same archive is the same bytes.
        path: The folder, which must exist; "" is all. Files keep their paths from the root.
        prefix: The folder that all files are put into, without a slash at its end.
        timeout_seconds: For all of it, the reader's own time included.
    """
    return program.pieces(
        repository,
        ["archive", f"--format={form}", f"--prefix={prefix}/", oid, "--", *([path] if path else [])],
        timeout_seconds=timeout_seconds,
        environment={"GIT_LITERAL_PATHSPECS": "1"},
        options=program.Options(configuration={"core.bigFileThreshold": STREAMED_BYTES}, memory_bytes=MEMORY_BYTES),
    )
