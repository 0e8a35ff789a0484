"""A project's status as a small picture (SVG), for a README."""

from __future__ import annotations

from xml.sax.saxutils import escape

# Facts of CodeBuild's badges: four words. Source: AWS CodeBuild User Guide, "Build badges sample".
PASSING, FAILING, IN_PROGRESS, UNKNOWN = "passing", "failing", "in progress", "unknown"
COLOURS = {PASSING: "#1a7f37", FAILING: "#b42318", IN_PROGRESS: "#1f5fbf", UNKNOWN: "#5c6670"}
_LABEL = "build"
_HEIGHT, _PADDING, _CHARACTER = 20, 7, 6.6


def svg(word: str) -> str:
    """The picture for one of the four words."""
    left, right = _width(_LABEL), _width(word)
    total = left + right
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total:g}" height="{_HEIGHT}" role="img"'
        f' aria-label="{_LABEL}: {escape(word)}"><title>{_LABEL}: {escape(word)}</title>'
        f'<rect width="{total:g}" height="{_HEIGHT}" rx="3" fill="#30363d"/>'
        f'<path d="M{left:g} 0h{right - 3:g}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{right - 3:g}z" fill="{COLOURS[word]}"/>'
        f'<g fill="#ffffff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2:g}" y="14">{_LABEL}</text><text x="{left + right / 2:g}" y="14">{escape(word)}</text>'
        "</g></svg>"
    )


def _width(text: str) -> float:
    return round(len(text) * _CHARACTER + 2 * _PADDING)
