"""Sizes of objects as git itself tells them: loose, packed whole, as deltas of both kinds, and large."""

from __future__ import annotations

import pytest

from repos.git import object_sizes, objects


@pytest.fixture
def oids(made):
    """Objects of every kind, with versions of a text that pack as deltas of each other."""
    text = "".join(f"line {number}\n" for number in range(4000))
    parents: list[str] = []
    for number in range(6):
        files = {"long.txt": f"{text}version {number}\n" * (number + 1), "empty": "", "d/one": "1"}
        parents = [made.commit(files, f"version {number}", parents)]
    made.raw("tag", f"object {parents[0]}\ntype commit\ntag t\n\nmessage\n".encode())
    lines = made.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objectsize)").decode()
    return {row[0]: int(row[1]) for row in map(str.split, lines.splitlines())}


def test_loose_objects_tell_their_size(made, oids):
    assert object_sizes.stored(made.repository, oids) == oids


@pytest.mark.parametrize("options", [(), ("--delta-base-offset",)], ids=["named bases", "bases by distance"])
def test_packed_objects_tell_what_comes_of_their_deltas(made, oids, options):
    made.git("pack-objects", "-q", "--depth=50", *options, "objects/pack/pack", given="\n".join(oids).encode() + b"\n")
    made.git("prune-packed", "-q")
    made.repository.close()
    listed = made.git("verify-pack", "-v", *map(str, (made.path / "objects/pack").glob("*.idx"))).decode()
    assert "chain length = 1:" in listed
    assert object_sizes.stored(made.repository, oids) == oids


def test_what_is_missing_or_damaged_is_left_to_git(made, oids):
    absent, damaged = "ab" * 20, next(iter(oids))
    (made.path / "objects" / damaged[:2] / damaged[2:]).write_bytes(b"garbage")
    assert object_sizes.stored(made.repository, [absent, damaged]) == {}
    assert objects.sizes(made.repository, [absent]) == {}
