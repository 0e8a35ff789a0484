"""Log lines and what a reader sees of them, for the server's rows and for the browser's."""

from __future__ import annotations

ESC = "\x1b"
# (line, [(classes, text), …])
LINES: list[tuple[str, list[tuple[str, str]]]] = [
    ("", []),
    ("plain <b>text</b>", [("", "plain <b>text</b>")]),
    (f"{ESC}[32mok{ESC}[0m done", [("ansi-green", "ok"), ("", " done")]),
    (
        f"{ESC}[1;31mbad{ESC}[22m red{ESC}[39m plain",
        [("ansi-bold ansi-red", "bad"), ("ansi-red", " red"), ("", " plain")],
    ),
    (f"{ESC}[4;7mx{ESC}[24my{ESC}[27mz", [("ansi-underline ansi-inverse", "x"), ("ansi-inverse", "y"), ("", "z")]),
    (f"{ESC}[93mbright{ESC}[m reset", [("ansi-yellow", "bright"), ("", " reset")]),
    (f"{ESC}[38;5;196mindexed", [("ansi-red", "indexed")]),
    (f"{ESC}[38;5;9mnine{ESC}[38;5;250mgrey", [("ansi-red", "nine"), ("ansi-white", "grey")]),
    (f"{ESC}[38;2;0;200;255mtrue colour", [("ansi-cyan", "true colour")]),
    (f"{ESC}[48;5;196;1mback", [("ansi-bold", "back")]),
    (f"{ESC}[38;5mcut short", [("", "cut short")]),
    (f"{ESC}[31mred{ESC}[108;999;1234567m still", [("ansi-red", "red"), ("ansi-red", " still")]),
    (f"cut off{ESC}[31", [("", "cut off")]),
    ("10%\r50%\r100%", [("", "100%")]),
    (f"10%\r{ESC}[33m100%{ESC}[0m done", [("ansi-yellow", "100%"), ("", " done")]),
    ("windows line end\r", [("", "windows line end")]),
    (f"old{ESC}[2K\rnew", [("", "new")]),
    (f"{ESC}]0;a title\x07text", [("", "text")]),
    (f"{ESC}]8;;https://example.org{ESC}\\a link{ESC}]8;;{ESC}\\", [("", "a link")]),
    (f"{ESC}[2J{ESC}[1;1Hcleared", [("", "cleared")]),
    (f"{ESC}[?25lhidden cursor{ESC}[?25h", [("", "hidden cursor")]),
    ("be\x07ll and back\x08space", [("", "be"), ("", "ll and back"), ("", "space")]),
    ("tab\tstays", [("", "tab\tstays")]),
]
KINDS = [
    ("[Container] 2024/07/12 01:21:51.978228 Running command make", "command"),
    ("[Container] 2024/07/12 01:21:51.978228 Entering phase BUILD", "phase"),
    ("[Container] 2024/07/12 01:21:51.978228 Phase complete: BUILD State: FAILED", "phase"),
    ("[Container] 2024/07/12 01:21:51.978228 Phase context status code:  Message: ", ""),
    ("[Container] 2024/07/12 01:21:51.978228 Phase context status code: YAML_FILE_ERROR Message: x", "error"),
    ("[Container] 2024/07/12 01:21:51.978228 Command did not exit successfully make exit status 2", "error"),
    ("echo Running command make", ""),
]
