"""A text file while it is edited in a form: browsers send every line ending as CRLF, files have their own.

Encoding, byte order mark and line endings of what is there are kept; a file of which a form can't give the same bytes
back is not offered for editing.
"""

from __future__ import annotations

import codecs
import unicodedata
from dataclasses import dataclass
from typing import Final

from codeservices.errors import InvalidInput
from repos.git import blob

# What a browser's text field edits without stalling.
MAX_EDITED_BYTES: Final = 1024 * 1024
_MARKS: Final = {"utf-8-sig": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CODECS: Final = {"utf-8-sig": "utf-8"}


class NotEditable(InvalidInput):
    """The file can't be edited as text in a form, or the text not written as the file is; the sentence says why."""

    code = "FileNotEditable"


@dataclass(frozen=True)
class TextFile:
    """A file's text with its line endings, and the encoding it is in, as `blob.encoding_of` calls it."""

    text: str
    encoding: str

    def changed(self, submitted: str) -> bytes:
        """The file's bytes with the text that a form sent.

        Lines that are as they were at the beginning and the end keep their endings; others get the usual one here.

        Raises:
            NotEditable: A character of it does not exist in the file's encoding.
        """
        text = self._with_endings(submitted.replace("\r\n", "\n").replace("\r", "\n"))
        try:
            raw = text.encode(_CODECS.get(self.encoding, self.encoding))
        except UnicodeEncodeError as error:
            odd = text[error.start]
            name = unicodedata.name(odd, f"U+{ord(odd):04X}").lower()
            raise NotEditable(
                f"This file is in {self.encoding}, which has no “{odd}” ({name}).",
                hint="Take it out, or convert the file to UTF-8 in a clone.",
            ) from None
        return _MARKS.get(self.encoding, b"") + raw

    def _with_endings(self, text: str) -> str:
        old = self.text.split("\n")
        crlf_count = sum(line.endswith("\r") for line in old[:-1])
        usual = "\r" if crlf_count * 2 > len(old) - 1 else ""
        new = text.split("\n")
        if crlf_count in (0, len(old) - 1):
            return f"{usual}\n".join(new)
        ends = ["\r" if line.endswith("\r") else "" for line in old[:-1]]
        plain = [line.removesuffix("\r") for line in old[:-1]]
        most = min(len(plain), len(new) - 1)
        head = next((at for at in range(most) if plain[at] != new[at]), most)
        rest = most - head
        tail = next((at for at in range(rest) if plain[-1 - at] != new[-2 - at]), rest)
        middle = [usual] * (len(new) - 1 - head - tail)
        made = [*ends[:head], *middle, *ends[len(ends) - tail :]]
        return "".join(f"{line}{end}\n" for line, end in zip(new, made, strict=False)) + new[-1]


NEW: Final = TextFile("", "utf-8")


def opened(data: bytes) -> TextFile:
    """The text of a file.

    Raises:
        NotEditable: It is none, it is too large, or a form would change other bytes of it.
    """
    if len(data) > MAX_EDITED_BYTES:
        raise NotEditable(
            f"This file has {len(data):,} bytes; files up to {MAX_EDITED_BYTES:,} are edited here.",
            hint="Edit it in a clone.",
        )
    if blob.is_binary(data) and data[:2] not in _UTF_16:
        raise NotEditable("This file is not text, so it can't be edited here.", hint="Upload a new version of it.")
    # All of a file is at hand, so one that ends inside a character of UTF-8 is none.
    encoding = blob.encoding_of(data + b"\n") if data[:2] not in _UTF_16 else blob.encoding_of(data)
    file = TextFile(blob.decode(data, encoding), encoding)
    sent = file.text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in sent or file.changed(sent) != data:
        raise NotEditable(
            "This file holds characters or line endings that a browser's form would change.", hint="Edit it in a clone."
        )
    return file
