"""A row's lanes and lines as SVG. The picture is for the eye alone: the table that it stands in says the same.

Lanes are LANE units apart and a row is HEIGHT units high; the style sheet says how wide a lane is on the screen, so a
picture's width is told in em. `data-to` names what a line leads to, by its row where that is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from repos.graph.lanes import Row

LANE: Final = 12
HEIGHT: Final = 28
_MIDDLE: Final = HEIGHT // 2
_NAME_DIGITS: Final = 12


def draw(row: Row, numbers: Mapping[str, int], width: int) -> str:
    """One row's picture.

    Args:
        numbers: The rows of commits, by oid, as far as they are known.
        width: In lanes; as the widest row beside it needs.
    """
    size = f'viewBox="0 0 {width * LANE} {HEIGHT}" width="{width}em" height="{HEIGHT}"'
    return f'<svg {size} preserveAspectRatio="none" focusable="false">{"".join(_shapes(row, numbers))}</svg>'


def name(oid: str, numbers: Mapping[str, int]) -> str:
    """What `data-to` says of a commit."""
    number = numbers.get(oid)
    return oid[:_NAME_DIGITS] if number is None else str(number)


def _shapes(row: Row, numbers: Mapping[str, int]) -> Iterator[str]:
    x = _x(row.lane)
    if row.has_line_above:
        yield _path(f"M{x} 0V{_MIDDLE}", row.colour, name(row.oid, numbers))
    for line in row.lines:
        top, bottom = _x(line.top), _x(line.bottom)
        start = _MIDDLE if line.leaves_commit else 0
        if top == bottom:
            course = f"M{top} {start}V{HEIGHT}"
        else:
            bend = (start + HEIGHT) // 2
            course = f"M{top} {start}C{top} {bend} {bottom} {bend} {bottom} {HEIGHT}"
        yield _path(course, line.colour, name(line.oid, numbers))
    for cut in row.cut_lanes:
        at = _x(cut.lane)
        yield _stub(f"M{at} 0V9m-3-3l3 3l3-3", cut.colour, cut.oid, numbers)
    for number, oid in enumerate(row.cut_parent_oids[:3]):
        yield _stub(f"M{x} {_MIDDLE}l{7 + 3 * number} 7m-4 0h4v-4", row.colour, oid, numbers)
    if row.is_resumed and not row.has_line_above:
        yield f'<path class="graph-stub" data-colour="{row.colour}" d="M{x} {_MIDDLE}V4m-3 3l3-3l3 3"/>'
    merge = ' data-kind="merge"' if len(row.parent_oids) > 1 else ""
    yield f'<path class="graph-dot" data-colour="{row.colour}"{merge} d="M{x} {_MIDDLE}h0"/>'


def _path(course: str, colour: int, to: str) -> str:
    return f'<path data-colour="{colour}" data-to="{to}" d="{course}"/>'


def _stub(course: str, colour: int, oid: str, numbers: Mapping[str, int]) -> str:
    where = f"row {numbers[oid] + 1:,}" if oid in numbers else "further down"
    title = f"<title>This line goes on at {oid[:8]}, {where}</title>"
    return f'<path class="graph-stub" data-colour="{colour}" data-to="{name(oid, numbers)}" d="{course}">{title}</path>'


def _x(lane: int) -> int:
    return lane * LANE + LANE // 2
