"""Two minutes of upkeep in the middle of pushes and clones; a few seconds of it in tests/compat."""

from __future__ import annotations

import os

import pytest

from tests import gitserver
from tests.repos import upkeep_stress

pytestmark = pytest.mark.faults

SECONDS = 120


@pytest.mark.parametrize("number", [1, 2])
def test_minutes_of_upkeep_in_the_middle_of_pushes_and_clones_lose_nothing(tmp_path, number):
    seed = int.from_bytes(os.urandom(4))
    with gitserver.running(tmp_path / "server") as server:
        seen = upkeep_stress.run(server, server.create(), tmp_path, SECONDS, seed)
    told = f"seed {seed}: {seen}"
    assert seen.expired and seen.rounds > 10 and seen.pushes > 20 and len(seen.refused) < seen.pushes / 10, told
