"""Secrets out of a log of 67 MB, a million lines; reference: counting the lines, which the log does anyway.

No goal of its own: what it costs is part of the log's, which is stored within 1.5 times what a bare attach takes.
"""

from __future__ import annotations

import base64
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import timing
from builds.masking import Masker

LINES = 1_000_000
WRITE_BYTES = 64 * 1024  # what one read of the engine's socket gives while a build is busy


def main() -> None:
    source = random.Random(1)
    lines = (b"%07d cc -O2 -c src/module_%03d.c -o build/%08x.o  ok, no warnings\n" for _ in range(LINES))
    log = b"".join(line % (i, i % 977, source.getrandbits(32)) for i, line in enumerate(lines))
    log_writes = [log[start : start + WRITE_BYTES] for start in range(0, len(log), WRITE_BYTES)]
    tokens = [base64.b64encode(source.randbytes(24)).decode() for _ in range(20)]
    lines_of_key = [base64.b64encode(source.randbytes(48)).decode() for _ in range(25)]
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines_of_key, "-----END PRIVATE KEY-----"])
    told = log.replace(b"00 cc", b"00 " + tokens[3].encode() + b" cc")
    told_writes = [told[start : start + WRITE_BYTES] for start in range(0, len(told), WRITE_BYTES)]

    def measure(what: str, secrets: list[str], writes: list[bytes]) -> None:
        def mask() -> None:
            masker = Masker(secrets)
            for data in writes:
                masker.feed(data)
            masker.flush()

        def count() -> None:
            for data in writes:
                data.count(b"\n")

        ours, reference = timing.by_turns(mask, count)
        timing.row(f"masking {len(log) / 1e6:.0f} MB: {what}", ours, "counting its lines", reference)

    measure("no secrets", [], log_writes)
    measure("1 secret", tokens[:1], log_writes)
    measure("20 secrets", tokens, log_writes)
    measure("a private key of 27 lines", [key], log_writes)
    measure("20 secrets, one of them in every hundredth line", tokens, told_writes)
    beginning = "https://deploy:token@registry.example.com/"
    alike = [beginning + token for token in (source.randbytes(12).hex() for _ in range(1_000))]
    begun = log.replace(b"00 cc", b"00 " + beginning.encode() + b" cc")
    begun_writes = [begun[start : start + WRITE_BYTES] for start in range(0, len(begun), WRITE_BYTES)]
    measure("1,000 secrets that begin alike, as every hundredth line does", alike, begun_writes)
    measure("a secret of four equal letters in a log of nothing else", ["aaaa"], [b"a" * WRITE_BYTES] * len(log_writes))


if __name__ == "__main__":
    main()
