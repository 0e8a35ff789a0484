"""What the first bytes of a file say that it is."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest

from repos.git import content_type


def tarred() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    return made.getvalue()


def zipped(name: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(name, "x")
    return made.getvalue()


@pytest.mark.parametrize(
    ("data", "words", "image_type"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG image", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG image", "image/jpeg"),
        (b"GIF89a\x01\0", "GIF image", "image/gif"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "WebP image", "image/webp"),
        (b"\0\0\0\x20ftypavif", "AVIF image", "image/avif"),
        (b"%PDF-1.7\n", "PDF document", ""),
        (zipped("a.txt"), "ZIP archive", ""),
        (zipped("META-INF/MANIFEST.MF"), "Java archive", ""),
        (zipped("word/document.xml"), "Microsoft Office document", ""),
        (gzip.compress(b"x"), "gzip archive", ""),
        (tarred(), "tar archive", ""),
        (b"\x7fELF\x02\x01\x01", "program for Linux and its like (ELF)", ""),
        (b"SQLite format 3\0", "SQLite database", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_formats_are_told_apart(data, words, image_type):
    assert content_type.of(data[:512]) == content_type.ContentType(words, image_type)


@pytest.mark.parametrize(
    "data", [b"", b"plain text\n", b"MZ", b"<html><script>", b"%PDF", b"BM is a text", b"PK", b"\x89PNG\0"]
)
def test_texts_and_the_unknown_have_no_format(data):
    assert content_type.of(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"<svg/>",
        b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="x">',
        b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x">\n<svg>',
    ],
)
def test_an_svg_has_the_name_and_the_content_of_one(data):
    assert content_type.is_svg("a.SVG", data)
    assert not content_type.is_svg("a.html", data)


@pytest.mark.parametrize("data", [b"<html><svg>", b"<script>", b"<svgs>", b"", b"<!DOCTYPE x [<!ENTITY a 'b'>]><svg>"])
def test_what_only_has_the_name_of_an_svg_is_none(data):
    assert not content_type.is_svg("a.svg", data)


def test_no_beginning_keeps_the_question_for_svg_busy():
    for beginning in (b"<!---->" * 73, b"<?xml>" * 85, b" " * 512, b"<!-- " * 100 + b"-->"):
        assert not content_type.is_svg("x.svg", beginning)
    assert content_type.is_svg("x.svg", b"<?xml?>\n<!-- a --> <!-- b -->\n<!DOCTYPE svg>\n<svg>")
