"""Functions in child processes that can be killed."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from repos.text import child_pool
from repos.text.child_pool import ChildPool, Stopped

PATIENT = {"cpu_seconds": 10, "wait_seconds": 60}


@pytest.fixture
def pool():
    """Of a function that fails, and answers anything, as its argument says."""
    one = ChildPool("json:loads", first=("1",))
    yield one
    one.close()


@pytest.fixture
def sleepers():
    one = ChildPool("time:sleep", first=(0,), children=2)
    yield one
    one.close()


@pytest.fixture
def child(pool):
    """The only child, which waits."""
    pool.call("1", **PATIENT)
    [one] = pool._idle
    return one


def test_a_function_that_fails_is_told_and_its_child_lives_on(pool, child):
    with pytest.raises(Stopped) as raised:
        pool.call("{", **PATIENT)
    assert raised.value.is_final
    assert pool.call('{"a": "\\udcff"}', **PATIENT) == {"a": "\udcff"}
    assert pool._idle == [child]


def test_what_takes_too_much_time_ends_its_child_and_the_next_has_another(pool, child):
    with pytest.raises(Stopped) as raised:
        pool.call("[" + "1," * 1_000_000 + "1]", cpu_seconds=0.01, wait_seconds=60)
    assert raised.value.is_final
    assert child.process.returncode is not None
    assert pool.call("2", **PATIENT) == 2
    assert child not in pool._idle


def test_what_only_waits_is_no_final_answer(sleepers):
    with pytest.raises(Stopped) as raised:
        sleepers.call(30, cpu_seconds=1, wait_seconds=0.2)
    assert not raised.value.is_final
    assert sleepers._idle == []


def test_a_child_that_has_died_is_replaced(pool, child):
    child.process.kill()
    child.process.wait()
    assert pool.call("3", **PATIENT) == 3


def test_no_more_children_run_than_may(sleepers):
    threads = [threading.Thread(target=sleepers.call, args=(0.1,), kwargs=PATIENT) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sleepers._idle) <= 2


def test_who_has_waited_for_a_turn_long_enough_is_told(sleepers):
    busy = [sleepers._turns.acquire() for _ in range(2)]
    with pytest.raises(Stopped) as raised:
        sleepers.call(0, cpu_seconds=1, wait_seconds=0.01)
    assert (busy, raised.value.is_final) == ([True, True], False)


def test_a_child_has_its_limits_and_knows_nothing_of_ours(monkeypatch, pool):
    monkeypatch.setenv("CODESERVICES_SUPERVISED", "/srv/run")
    monkeypatch.setenv("SECRET", "hush")
    pool.call("1", **PATIENT)
    process = Path(f"/proc/{pool._idle[0].process.pid}")
    limits = (process / "limits").read_text()
    assert re.search(rf"Max address space +{child_pool.MEMORY_BYTES} ", limits)
    assert re.search(r"Max file size +0 ", limits)
    environment = (process / "environ").read_bytes().split(b"\0")
    assert b"CODESERVICES_SUPERVISED=/srv/run" in environment
    assert b"hush" not in b"".join(environment)


def test_a_child_ends_with_the_process_that_started_it(child):
    child.process.stdin.close()
    assert child.process.wait(60) == 0
