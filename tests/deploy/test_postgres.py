from __future__ import annotations

import psycopg

from deploy import postgres


def test_a_private_server_answers_while_the_block_runs_and_leaves_nothing():
    with postgres.server() as url, psycopg.connect(url) as connection:
        folder = connection.execute("SHOW unix_socket_directories").fetchone()[0]
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    assert not postgres.Path(folder).exists()
