"""Child processes with streams, under both event loops."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from repos.git import child


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_no_pipe_is_closed_twice(make_loop: Callable[[], asyncio.AbstractEventLoop], monkeypatch):
    """The second time it would be what another thread has opened meanwhile, under the number that became free."""
    are_open: list[bool] = []

    class Watched(child._PipeEnd):
        def close(self) -> None:
            other = os.open("/dev/null", os.O_RDONLY)
            super().close()
            are_open.append(Path(f"/proc/self/fd/{other}").exists())
            if are_open[-1]:
                os.close(other)

    monkeypatch.setattr(child, "_PipeEnd", Watched)

    async def talk() -> bytes:
        with Path("/dev/null").open("wb") as stderr:
            cat = await child.start_child([b"cat"], environment={}, folder="/", stderr=stderr, limit=1000)
        cat.stdin.write(b"hello")
        cat.stdin.close()
        said = await cat.stdout.read()
        await cat.wait()
        cat.close()
        await asyncio.sleep(0.01)
        return said

    with asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(talk()) == b"hello"
    assert are_open == [True, True]
