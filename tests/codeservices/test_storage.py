from __future__ import annotations

import io

import pytest

from codeservices import storage


def test_what_is_written_is_read_and_written_again_is_replaced():
    storage.write("builds/one/log.gz", b"first")
    storage.write("builds/one/log.gz", io.BytesIO(b"second"))
    assert storage.read("builds/one/log.gz") == b"second"
    assert storage.size_bytes("builds/one/log.gz") == 6


def test_a_deleted_object_is_gone_and_deleting_it_again_is_no_error():
    storage.write("a/b", b"x")
    storage.delete("a/b")
    storage.delete("a/b")
    assert not storage.exists("a/b")
    with pytest.raises(FileNotFoundError):
        storage.read("a/b")


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../b", "a//b", ".hidden", "a/b\n", "a b"])
def test_a_key_that_could_leave_the_store_is_refused(key):
    with pytest.raises(ValueError, match="is no object key"):
        storage.write(key, b"x")
