from __future__ import annotations

import os
import socket

import pytest

from deploy import ports, say
from tests.fixtures.installation import free_port


def test_a_port_that_nobody_has_is_free():
    assert ports.is_free("127.0.0.1", free_port())


def test_a_port_is_not_free_while_somebody_listens_on_it_and_free_right_after():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert not ports.is_free("127.0.0.1", port)
        assert not ports.is_free("0.0.0.0", port)
        assert ports.holder(port).startswith(f"pid {os.getpid()} (")
    assert ports.is_free("0.0.0.0", port)
    assert ports.holder(port) == ""


def test_the_port_that_is_offered_instead_is_free():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(say.Refusal) as refusal:
            ports.require_free("127.0.0.1", port, variable="CODESERVICES_HTTP_PORT")
    offered = int(str(refusal.value).split("CODESERVICES_HTTP_PORT=")[1].split()[0])
    assert offered > port
    assert ports.is_free("127.0.0.1", offered)


def test_an_address_of_another_machine_is_refused_with_the_reason():
    with pytest.raises(say.Refusal, match=r"Nobody can listen on 192\.0\.2\.1 port 80: Cannot assign"):
        ports.is_free("192.0.2.1", 80)
