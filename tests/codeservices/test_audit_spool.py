"""The spool: whole lines in files, an owner that lives or does not, and forks."""

from __future__ import annotations

import os
import resource
import threading

import pytest

from codeservices.audit import spool
from codeservices.audit.spool import Spool


def lines(root) -> list[bytes]:
    return [line for one in spool.segments(root) for line in one.lines(0, 1000)]


def test_lines_are_kept_in_order_and_whole(tmp_path):
    own = Spool(tmp_path / "spool")
    for number in range(3):
        own.append(b"%d\n" % number)
    assert lines(own.root) == [b"0\n", b"1\n", b"2\n"]
    assert (own.root.stat().st_mode & 0o777, spool.segments(own.root)[0].path.stat().st_mode & 0o777) == (0o700, 0o600)


def test_threads_share_it_and_lose_nothing(tmp_path):
    own = Spool(tmp_path, segment_bytes=1000)

    def write(name: int) -> None:
        for number in range(200):
            own.append(b"%d %d\n" % (name, number))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(lines(tmp_path)) == sorted(b"%d %d\n" % (name, number) for name in range(4) for number in range(200))
    assert len(spool.segments(tmp_path)) >= 5


def test_a_token_is_dead_once_its_process_has_let_go(tmp_path):
    own = Spool(tmp_path)
    own.append(b"x\n")
    assert (spool.living_tokens(tmp_path), spool.dead_tokens(tmp_path)) == ({own.token}, set())
    own.close()
    assert spool.dead_tokens(tmp_path) == {own.token}
    before = own.token
    own.append(b"y\n")
    assert own.token != before


def test_a_forked_child_writes_under_a_token_of_its_own_and_keeps_none_alive(tmp_path):
    own = Spool(tmp_path)
    own.append(b"parent\n")
    child = os.fork()
    if child == 0:
        own.append(b"child\n")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert sorted(lines(tmp_path)) == [b"child\n", b"parent\n"]
    assert len(spool.segments(tmp_path)) == 2
    assert spool.living_tokens(tmp_path) == {own.token}


def test_a_line_that_the_file_system_cuts_off_is_taken_back(tmp_path):
    own = Spool(tmp_path)
    own.append(b"x" * 99 + b"\n")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150, before[1]))
    try:
        with pytest.raises(OSError, match="No space left"):
            own.append(b"y" * 99 + b"\n")
        with pytest.raises(OSError):
            own.append(b"y" * 99 + b"\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    own.append(b"z\n")
    assert lines(tmp_path) == [b"x" * 99 + b"\n", b"z\n"]


def test_a_line_without_its_end_is_not_read(tmp_path):
    own = Spool(tmp_path)
    own.append(b"whole\n")
    own.append(b"half")
    assert lines(tmp_path) == [b"whole\n"]


def test_a_line_longer_than_a_batch_is_read_whole(tmp_path):
    own = Spool(tmp_path)
    own.append(b"x" * 5000 + b"\n")
    own.append(b"y\n")
    assert spool.segments(tmp_path)[0].lines(0, 1000)[0] == b"x" * 5000 + b"\n"


def test_a_segment_that_somebody_removed_is_begun_anew(tmp_path):
    own = Spool(tmp_path)
    own.append(b"x\n")
    spool.segments(tmp_path)[0].path.unlink()
    own.append(b"y\n")
    assert lines(tmp_path) == [b"y\n"]
