"""Upkeep in the middle of pushes and clones; for minutes in tests/faults."""

from __future__ import annotations

from tests import gitserver
from tests.repos import upkeep_stress

SECONDS = 6


def test_upkeep_in_the_middle_of_pushes_and_clones_loses_nothing(tmp_path):
    with gitserver.running(tmp_path / "server") as server:
        seen = upkeep_stress.run(server, server.create(), tmp_path, SECONDS, seed=1)
    assert seen.rounds and seen.pushes > len(seen.refused) and seen.clones and seen.pages
