"""Our changes and rows turned back into the patch that git writes, byte for byte, so that the two can be compared.

Source: git-diff-tree(1), "Generating patch text with -p"; quoting as in quote_c_style of git's quote.c.
"""

from __future__ import annotations

from collections.abc import Iterator

from repos.diff import hunks, patch
from repos.diff.changes import ABSENT, FileChange
from repos.diff.rows import FileDiff
from repos.git import blob, refs
from repos.git.store import BareRepository

ZERO = "0" * 40
WITHOUT_NEWLINE = b"\\ No newline at end of file\n"
SIGNS = {"context": b" ", "removed": b"-", "added": b"+"}
ESCAPES = {7: b"\\a", 8: b"\\b", 9: b"\\t", 10: b"\\n", 11: b"\\v", 12: b"\\f", 13: b"\\r", 34: b'\\"', 92: b"\\\\"}
# Nothing is cut.
OPTIONS = hunks.Options(max_line_bytes=2**40)
WINDOW = patch.Window(0, 2**40, 2**40)


def git_args(old_tree: str, new_tree: str) -> list[str]:
    """The arguments of git for the same patch."""
    return ["diff-tree", "-r", "-p", "-M", "-l1000", "--full-index", old_tree, new_tree]


def patch_of(repository: BareRepository, changes: tuple[FileChange, ...]) -> bytes:
    """The whole patch of a list of changes."""
    found = dict(hunks.hunks_of_many(repository, changes, options=OPTIONS, window=WINDOW))
    return b"".join(file_patch(one, found.get(index, FileDiff())) for index, one in enumerate(changes))


def file_patch(change: FileChange, file: FileDiff) -> bytes:
    """The patch of one file; of one whose kind changed, two."""
    if change.status != "T":
        return b"".join(_part(change, file, change.old_mode, change.new_mode, change.old_oid, change.new_oid))
    gone = FileDiff(tuple(one for one in file.hunks if one.new_count == 0), file.is_binary, 0, None, *encodings(file))
    come = FileDiff(tuple(one for one in file.hunks if one.old_count == 0), file.is_binary, 0, None, *encodings(file))
    return b"".join(
        [
            *_part(change, gone, change.old_mode, ABSENT, change.old_oid, ""),
            *_part(change, come, ABSENT, change.new_mode, "", change.new_oid),
        ]
    )


def encodings(file: FileDiff) -> tuple[str, str]:
    """How the bytes of each side became text."""
    return file.old_encoding, file.new_encoding


def body(file: FileDiff) -> bytes:
    """The hunks alone."""
    return b"".join(_hunks(file))


def _part(
    change: FileChange, file: FileDiff, old_mode: str, new_mode: str, old_oid: str, new_oid: str
) -> Iterator[bytes]:
    old_name, new_name = refs.encode(change.old_path), refs.encode(change.new_path)
    yield b"diff --git %s %s\n" % (_quoted(b"a/" + old_name), _quoted(b"b/" + new_name))
    if old_mode == ABSENT:
        yield b"new file mode %s\n" % new_mode.encode()
    elif new_mode == ABSENT:
        yield b"deleted file mode %s\n" % old_mode.encode()
    elif old_mode != new_mode:
        yield b"old mode %s\nnew mode %s\n" % (old_mode.encode(), new_mode.encode())
    if change.similarity is not None:
        yield b"similarity index %d%%\n" % change.similarity
        yield b"rename from %s\nrename to %s\n" % (_quoted(old_name), _quoted(new_name))
    if old_oid == new_oid:
        return
    mode = b" " + old_mode.encode() if old_mode == new_mode else b""
    yield b"index %s..%s%s\n" % ((old_oid or ZERO).encode(), (new_oid or ZERO).encode(), mode)
    old = _quoted(b"a/" + old_name) if old_oid else b"/dev/null"
    new = _quoted(b"b/" + new_name) if new_oid else b"/dev/null"
    if file.is_binary or any(map(blob.is_utf_16, encodings(file))):
        yield b"Binary files %s and %s differ\n" % (old, new)
    elif file.hunks:
        # A tab keeps patch(1) from taking what follows a blank in a name for a date.
        yield b"--- %s%s\n" % (old, b"\t" if b" " in old and old[:1] != b'"' else b"")
        yield b"+++ %s%s\n" % (new, b"\t" if b" " in new and new[:1] != b'"' else b"")
        yield from _hunks(file)


def _hunks(file: FileDiff) -> Iterator[bytes]:
    for hunk in file.hunks:
        header = hunk.header.encode(file.old_encoding, "surrogateescape")
        yield hunk.range.encode() + (b" " + header if header else b"") + b"\n"
        for row in hunk.rows:
            encoding = file.old_encoding if row.kind == "removed" else file.new_encoding
            yield SIGNS[row.kind] + row.text.encode(encoding) + b"\n"
            if row.ends_file:
                yield WITHOUT_NEWLINE


def _quoted(name: bytes) -> bytes:
    if not any(byte < 32 or byte in (34, 92, 127) for byte in name):
        return name
    return b'"%s"' % b"".join(
        ESCAPES.get(byte) or (b"\\%03o" % byte if byte < 32 or byte == 127 else bytes([byte])) for byte in name
    )
