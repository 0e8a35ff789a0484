"""The colours of tokens.css in both schemes: text at 4.5:1, outlines of controls at 3:1 (WCAG 2.2, 1.4.3, 1.4.11)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = Path(__file__).resolve().parents[2] / "static" / "css"
TOKEN = re.compile(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);")
TOKENS = {name: {"light": light, "dark": dark} for name, light, dark in TOKEN.findall((CSS / "tokens.css").read_text())}

PLAIN = ["surface", "surface-sunken", "surface-raised", "surface-hover", "surface-selected"]
STATES = ["succeeded", "failed", "fault", "timed-out", "stopped", "in-progress", "queued"]
SYNTAX = [name for name in TOKENS if name.startswith(("syntax-", "ansi-"))]
SYNTAX_NAMES = [name for name in SYNTAX if name.startswith("syntax-")]
GRAPH = [name for name in TOKENS if name.startswith("graph-")]
DIFF = ["added-surface", "removed-surface", "hunk-surface"]

TEXT_PAIRS = [
    *((text, back) for text in ("text", "text-muted", "accent", "accent-strong") for back in PLAIN),
    *((text, f"{state}-soft") for state in STATES for text in (state, "text", "text-muted")),
    *((state, back) for state in STATES for back in PLAIN),
    *((syntax, back) for syntax in SYNTAX for back in ("surface", "surface-sunken", "surface-hover")),
    *((syntax, back) for syntax in SYNTAX_NAMES for back in DIFF[:2]),
    *((text, back) for text in ("text", "text-muted") for back in DIFF),
    ("added", "added-surface"),
    ("removed", "removed-surface"),
    *((text, back) for text in ("text", *SYNTAX_NAMES) for back in ("added-mark", "removed-mark", "mark")),
    ("text-muted", "mark"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-danger", "danger"),
    ("danger", "surface"),
]
OUTLINE_PAIRS = [(line, back) for line in ("outline", "focus", "failed", "accent", *GRAPH) for back in PLAIN]


def luminance(colour: str) -> float:
    def linear(channel: int) -> float:
        value = channel / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_wcag_defines_it():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_every_surface_it_lies_on(scheme):
    weak = {
        f"--{text} on --{back}": round(contrast(TOKENS[text][scheme], TOKENS[back][scheme]), 2)
        for text, back in TEXT_PAIRS
        if contrast(TOKENS[text][scheme], TOKENS[back][scheme]) < 4.5
    }
    assert not weak


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_outlines_of_controls_stand_out_from_every_surface(scheme):
    weak = {
        f"--{line} on --{back}": round(contrast(TOKENS[line][scheme], TOKENS[back][scheme]), 2)
        for line, back in OUTLINE_PAIRS
        if contrast(TOKENS[line][scheme], TOKENS[back][scheme]) < 3
    }
    assert not weak


@pytest.mark.parametrize("sheet", sorted(CSS.rglob("*.css")), ids=lambda sheet: sheet.name)
def test_colours_are_written_in_the_tokens_alone(sheet):
    if sheet.name != "tokens.css":
        assert not re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[;\s),])|\brgba?\(|\bhsla?\(", sheet.read_text())


@pytest.mark.parametrize("sheet", sorted(CSS.rglob("*.css")), ids=lambda sheet: sheet.name)
def test_every_token_that_is_used_is_defined(sheet):
    text = sheet.read_text()
    everywhere = (CSS / "tokens.css").read_text()
    used = set(re.findall(r"var\(--([\w-]+)", text))
    defined = set(re.findall(r"--([\w-]+):", everywhere + text))
    assert used <= defined
