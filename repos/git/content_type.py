"""What the first bytes of a file say that it is.

Source: the formats' own specifications, and file(1)'s magic(5) for those that have none; "Image type pattern matching
algorithm" of the MIME Sniffing standard for the images.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class ContentType:
    """A format.

    Attributes:
        words: For a sentence: "PNG image", "PDF document".
        image_type: The MIME type of a raster image that every browser draws, and that can hold no script; else "".
    """

    words: str
    image_type: str = ""


# A file's first 512 bytes are enough; tar's signature lies farthest, at 257.
_SIGNATURES: Final = tuple(
    (re.compile(pattern, re.DOTALL), found)
    for pattern, found in (
        (rb"\x89PNG\r\n\x1a\n", ContentType("PNG image", "image/png")),
        (rb"\xff\xd8\xff", ContentType("JPEG image", "image/jpeg")),
        (rb"GIF8[79]a", ContentType("GIF image", "image/gif")),
        (rb"RIFF....WEBPVP", ContentType("WebP image", "image/webp")),
        (rb"....ftyp(?:avif|avis)", ContentType("AVIF image", "image/avif")),
        (rb"\x00\x00\x01\x00[\x01-\xff]\x00", ContentType("icon", "image/x-icon")),
        (rb"BM.{4}\x00{4}", ContentType("bitmap image", "image/bmp")),
        (rb"II\*\x00|MM\x00\*", ContentType("TIFF image")),
        (rb"....ftyp(?:heic|heix|mif1)", ContentType("HEIF image")),
        (rb"8BPS", ContentType("Photoshop image")),
        (rb"%PDF-", ContentType("PDF document")),
        (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ContentType("document of older Microsoft Office")),
        (rb"PK\x03\x04.{26}(?:\[Content_Types\]|_rels/|word/|xl/|ppt/)", ContentType("Microsoft Office document")),
        (rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis", ContentType("OpenDocument file")),
        (rb"PK\x03\x04.{26}META-INF/", ContentType("Java archive")),
        (rb"PK(?:\x03\x04|\x05\x06)", ContentType("ZIP archive")),
        (rb"\x1f\x8b\x08", ContentType("gzip archive")),
        (rb"BZh[1-9]1AY", ContentType("bzip2 archive")),
        (rb"\xfd7zXZ\x00", ContentType("xz archive")),
        (rb"\x28\xb5\x2f\xfd", ContentType("Zstandard archive")),
        (rb"7z\xbc\xaf\x27\x1c", ContentType("7-Zip archive")),
        (rb"Rar!\x1a\x07", ContentType("RAR archive")),
        (rb".{257}ustar", ContentType("tar archive")),
        (rb"!<arch>\n", ContentType("archive of object files")),
        (rb"\x7fELF", ContentType("program for Linux and its like (ELF)")),
        (rb"MZ.{58}", ContentType("program for Windows")),
        (rb"\xca\xfe\xba\xbe\x00\x00\x00[\x1e-\xff]", ContentType("Java class")),
        (rb"\xca\xfe\xba\xbe|\xfe\xed\xfa[\xce\xcf]|[\xce\xcf]\xfa\xed\xfe", ContentType("program for macOS")),
        (rb"\x00asm", ContentType("WebAssembly module")),
        (rb"SQLite format 3\x00", ContentType("SQLite database")),
        (rb"PACK\x00\x00\x00[\x02\x03]", ContentType("git pack")),
        (rb"# v[23] git bundle\n", ContentType("git bundle")),
        (rb"wOFF|wOF2|OTTO\x00|\x00\x01\x00\x00\x00", ContentType("font")),
        (rb"OggS", ContentType("Ogg audio or video")),
        (rb"fLaC", ContentType("FLAC audio")),
        (rb"ID3[\x02-\x04]|\xff[\xfb\xf3\xf2]", ContentType("MP3 audio")),
        (rb"RIFF....WAVE", ContentType("WAVE audio")),
        (rb"RIFF....AVI ", ContentType("AVI video")),
        (rb"....ftyp", ContentType("MP4 or QuickTime video")),
        (rb"\x1aE\xdf\xa3", ContentType("Matroska or WebM video")),
    )
)  # fmt: skip
# Each part before the element is taken once and for all, (?>…): a file of nothing but comments can be cut into them in
# more ways than can be tried.
_SVG: Final = re.compile(rb"\s*(?>(?:<\?xml[^>]*>|<!--.*?-->|<!DOCTYPE[^>\[]*>)\s*){0,8}<svg[\s>/]", re.DOTALL)


def of(data: bytes) -> ContentType | None:
    """The format that a file of this beginning has, or None where it has no signature: text, for the most part."""
    return next((found for pattern, found in _SIGNATURES if pattern.match(data)), None)


def is_svg(name: str, data: bytes) -> bool:
    """Whether a file is an SVG picture by both its name and its beginning. It may hold scripts."""
    return name.lower().endswith(".svg") and _SVG.match(data.removeprefix(b"\xef\xbb\xbf")) is not None
