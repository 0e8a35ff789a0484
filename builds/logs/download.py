"""A whole log as one text: as it came ("raw"), or as it reads ("plain"); of a finished one any range of its bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Literal

from builds.logs.access import chunk_block, reader_of
from builds.logs.ansi import plain
from builds.models import Build, LogChunk

Form = Literal["raw", "plain"]
_SHAPES: dict[Form, Callable[[bytes], bytes]] = {"raw": bytes, "plain": plain}


def whole(build: Build, form: Form) -> Iterator[bytes]:
    """The text, piece by piece; of a running build, as far as it has come."""
    position = 0
    for block in reader_of(build.pk, str(build.uuid)).blocks(0):
        yield _SHAPES[form](block.text_from(position))
        position = block.next_line


def part(build: Build, form: Form, window: range) -> Iterator[bytes]:
    """Some bytes of a finished build's log, piece by piece."""
    offset = 0
    chunks = LogChunk.objects.filter(build=build).iterator(chunk_size=100)
    for chunk, size in zip(chunks, _sizes(build.pk, form), strict=False):
        if offset >= window.stop:
            return
        if offset + size > window.start:
            text = _SHAPES[form](chunk_block(chunk).text)
            yield text[max(window.start - offset, 0) : window.stop - offset]
        offset += size


def size_bytes(build: Build, form: Form) -> int:
    """How large a finished build's log is in this form."""
    return sum(_sizes(build.pk, form))


@lru_cache(maxsize=64)
def _sizes(build_pk: int, form: Form) -> tuple[int, ...]:
    """The size of each chunk's text. Of the plain form nobody knows it before all of it was made once."""
    chunks = LogChunk.objects.filter(build=build_pk)
    if form == "raw":
        return tuple(chunks.values_list("size_bytes", flat=True))
    return tuple(len(plain(chunk_block(chunk).text)) for chunk in chunks.iterator(chunk_size=100))
