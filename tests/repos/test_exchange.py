from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest

from repos.git import exchange
from repos.git.exchange import ClientLeft, RequestBody
from repos.git.wire import ProtocolError
from repos.git.wire_process import spawn
from tests import gitrepo


@pytest.fixture
def repository(tmp_path):
    return gitrepo.create(tmp_path)


def body(*pieces: bytes, is_gzip: bool = False, max_bytes: int = 10_000_000, ends: bool = True) -> RequestBody:
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.request" if ends else "http.disconnect"})

    async def receive():
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    return RequestBody(receive, is_gzip=is_gzip, max_bytes=max_bytes)


def whole(asked: RequestBody) -> bytes:
    async def read() -> bytes:
        return b"".join([piece async for piece in pieces(asked)])

    return asyncio.run(read())


async def pieces(asked: RequestBody):
    while piece := await asked.read():
        yield piece


def test_a_body_comes_as_it_was_sent_plain_and_compressed():
    content = bytes(range(256)) * 4000
    assert whole(body(content[:1000], b"", content[1000:])) == content
    packed = gzip.compress(content)
    assert whole(body(*(packed[start : start + 7] for start in range(0, len(packed), 7)), is_gzip=True)) == content
    assert whole(body()) == b""


def test_a_small_body_that_grows_huge_is_stopped_on_the_way():
    asked = body(gzip.compress(bytes(50_000_000)), is_gzip=True, max_bytes=1_000_000)
    with pytest.raises(exchange.BodyTooLarge, match="at most 1,000,000 bytes") as caught:
        whole(asked)
    assert caught.value.status == 413
    with pytest.raises(exchange.BodyTooLarge):
        whole(body(bytes(600), bytes(600), max_bytes=1000))


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (b"nonsense", "says that it is gzip, but it is not"),
        (zlib.compress(b"x"), "says that it is gzip, but it is not"),
        (gzip.compress(b"x" * 1000, mtime=0)[:-1], "ended too early"),
        (gzip.compress(b"x", mtime=0) + b"more", "stands behind"),
        (b"", "ended too early"),
    ],
)
def test_a_broken_compressed_body_is_told(sent, sentence):
    with pytest.raises(ProtocolError, match=sentence):
        whole(body(sent, is_gzip=True))


def test_a_client_that_leaves_or_falls_silent_is_told_apart_from_an_end(monkeypatch):
    with pytest.raises(ClientLeft, match="closed in the middle"):
        whole(body(b"x", ends=False))
    monkeypatch.setattr(exchange, "CLIENT_SECONDS", 0.05)

    async def silent():
        await asyncio.Event().wait()

    with pytest.raises(ClientLeft, match="nothing came"):
        whole(RequestBody(silent, is_gzip=False, max_bytes=10))


def test_a_client_that_sends_a_byte_now_and_then_is_left_in_the_end(monkeypatch):
    monkeypatch.setattr(exchange, "BODY_SECONDS", 0.2)

    async def trickling():
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(ClientLeft, match="we waited 0 seconds for [0-9]+ bytes"):
        whole(RequestBody(trickling, is_gzip=False, max_bytes=1000))


def run(repository, script: str, asked: RequestBody, send=None, **options) -> tuple[int, bytes]:
    """A process that stands for git, fed with a body; its exit code and what it said."""
    said: list[bytes] = []

    async def keep(piece: bytes) -> None:
        said.append(piece)

    async def whole_exchange() -> int:
        child = await spawn(repository, ["-c", f"alias.x=!{script} #", "x"])
        try:
            return await exchange.run(child, pieces(asked), send or keep, **options)
        finally:
            await child.stop()
            assert child.process.returncode is not None

    return asyncio.run(whole_exchange()), b"".join(said)


def test_bytes_go_through_both_ways_at_once(repository):
    content = bytes(range(256)) * 8192
    assert run(repository, "cat", body(content, content)) == (0, content * 2)


def test_a_body_that_git_does_not_want_is_read_to_its_end(repository):
    sent = body(*[bytes(100_000)] * 40)
    assert run(repository, "echo no; exit 3", sent) == (3, b"no\n")
    assert whole(sent) == b""


def test_a_client_that_is_gone_ends_the_exchange(repository):
    async def gone() -> None:
        return None

    with pytest.raises(ClientLeft, match="before the answer ended"):
        run(repository, "sleep 60", body(), gone=gone)


def test_a_client_that_takes_nothing_ends_the_exchange(repository, monkeypatch):
    monkeypatch.setattr(exchange, "CLIENT_SECONDS", 0.05)

    async def stuck(piece: bytes) -> None:
        await asyncio.Event().wait()

    with pytest.raises(ClientLeft, match="took nothing"):
        run(repository, "echo hello; sleep 60", body(), stuck)


def test_a_git_that_says_nothing_ends_the_exchange(repository, monkeypatch):
    monkeypatch.setattr(exchange, "GIT_SECONDS", 0.05)
    with pytest.raises(exchange.GitStalled, match="said nothing"):
        run(repository, "sleep 60", body())
