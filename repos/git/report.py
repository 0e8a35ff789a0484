"""Receive-pack's answer to a push: reading the report while it passes by, and writing one for a push we refuse.

Source: gitprotocol-pack(5), "Report Status" and "Packfile Data".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repos.git import quarantine, refs
from repos.git.wire import (
    FLUSH,
    MAX_PKT_BYTES,
    MAX_SIDEBAND_BYTES,
    SMALL_SIDEBAND_BYTES,
    PushRequest,
    pkt,
    sideband,
    split,
)

MAX_SPOKEN_BYTES = 16 * 1024


@dataclass(frozen=True)
class Report:
    """What receive-pack told its client.

    Attributes:
        unpack: "ok", or what was wrong with the pack.
        accepted: The refnames it moved.
        rejected: The others, each with its reason.
        refusal: What quarantine.py told the person, where it refused the push; else "".
    """

    unpack: str
    accepted: frozenset[str]
    rejected: Mapping[str, str]
    refusal: str = ""


class ReportReader:
    """Picks the report out of receive-pack's answer while that passes by."""

    def __init__(self, capabilities: Sequence[str]) -> None:
        self._has_report = bool({"report-status", "report-status-v2"} & set(capabilities))
        self._has_bands = bool({"side-band", "side-band-64k"} & set(capabilities))
        self._report = bytearray()
        self._begun = bytearray()
        self._spoken = bytearray()

    def feed(self, piece: bytes) -> None:
        """Look at the next piece of the answer, wherever it was cut."""
        if not self._has_bands:
            self._report += piece
            return
        self._begun += piece
        lines, used = split(self._begun)
        del self._begun[:used]
        for line in lines:
            if line[:1] == b"\x01":
                self._report += line[1:]
            elif line[:1] == b"\x02":
                self._spoken += line[1:]
                del self._spoken[:-MAX_SPOKEN_BYTES]

    def result(self) -> Report | None:
        """The report, or None where the client asked for none or git died before it."""
        lines, _ = split(self._report)
        if not self._has_report or not lines or not lines[0].startswith(b"unpack "):
            return None
        words = [refs.decode(line.rstrip(b"\n")).split(" ", 2) for line in lines[1:]]
        accepted = frozenset(rest[0] for kind, *rest in words if kind == "ok")
        rejected = {rest[0]: " ".join(rest[1:]) for kind, *rest in words if kind == "ng"}
        unpack = refs.decode(lines[0].rstrip(b"\n")).removeprefix("unpack ")
        _, begins, spoken = self._spoken.decode("utf-8", "replace").rpartition(quarantine.REFUSED)
        return Report(unpack, accepted, rejected, spoken.strip() if begins else "")


def refusal(request: PushRequest, reasons: Mapping[str, str], message: str, *, unpack: str = "ok") -> bytes:
    """The whole answer to a push of which nothing was applied.

    Args:
        request: The push; its capabilities say which form its client reads.
        reasons: A short reason for each refname; git prints it behind "[remote rejected]".
        message: Sentences that git prints as `remote:` lines.
        unpack: What became of the pack: "ok", or why it was not even looked at.
    """
    report = b""
    if {"report-status", "report-status-v2"} & set(request.capabilities):
        lines = [pkt(b"unpack %s\n" % _one_line(unpack))]
        lines += [pkt(b"ng %s %s\n" % (refs.encode(name), _one_line(reason))) for name, reason in reasons.items()]
        report = b"".join(lines) + FLUSH
    if "side-band-64k" in request.capabilities:
        size_bytes = MAX_SIDEBAND_BYTES
    elif "side-band" in request.capabilities:
        size_bytes = SMALL_SIDEBAND_BYTES
    else:
        return report
    spoken = "".join(f"{line}\n" for line in message.splitlines()).encode("utf-8", "replace")
    return sideband(2, spoken, size_bytes) + sideband(1, report, size_bytes) + FLUSH


def _one_line(text: str) -> bytes:
    return " ".join(text.split()).encode("utf-8", "replace")[: MAX_PKT_BYTES // 2]
