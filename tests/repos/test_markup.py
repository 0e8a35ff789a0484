"""Markdown as HTML: what people write is drawn, what could do harm is gone, and nothing takes for ever."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from repos.text import markup

ADDRESSES = markup.Addresses("/repositories/demo/browse/main", "/repositories/demo/raw/main", "docs")


def html(text, **options):
    return markup.html(text, ADDRESSES, **options)


@pytest.mark.parametrize(
    ("written", "drawn"),
    [
        ("a **b** `c`", "<p>a <strong>b</strong> <code>c</code></p>"),
        ("~~gone~~", "<s>gone</s>"),
        ("|a|b|\n|:-|-:|\n|1|2|", '<td align="right">2</td>'),
        ("- [x] done", 'checked="checked"'),
        ("- [ ] todo", "> todo"),
        ("x[^n]\n\n[^n]: foot", '<li id="user-content-fn1">'),
        (
            "https://a.example/b",
            '<a href="https://a.example/b" rel="nofollow noopener noreferrer">https://a.example/b</a>',
        ),
        ("see README.md", "<p>see README.md</p>"),
        ("# One *two*, three!", '<h1 id="user-content-one-two-three">'),
        ("# A\n# A", '<h1 id="user-content-a-1">'),
        ("<details open><summary>More</summary>\n\n*x*\n\n</details>", "<em>x</em>"),
        ("<kbd>t</kbd> H<sub>2</sub>O<br>y", "<kbd>t</kbd> H<sub>2</sub>O<br>y"),
        ('<p align="center">x</p>', '<p align="center">x</p>'),
        ("```\n<b>\n```", "<pre><code>&lt;b&gt;\n</code></pre>"),
        ("    <i>", "<pre><code>&lt;i&gt;\n</code></pre>"),
        ("\udcff odd", "<p>? odd</p>"),
        (
            "> [!WARNING]\n> hot",
            '<div class="markdown-alert markdown-alert-warning">\n<p class="markdown-alert-title">',
        ),
        ("> [!OTHER]\n> x", "<blockquote>\n<p>[!OTHER]"),
        ('![](a.png "t")', '<img src="/repositories/demo/raw/main/docs/a.png" alt="" title="t" loading="lazy">'),
        ('<a href="x"><img src="a.png"></a>', 'alt="a.png"'),
        ('<a href="x"><img src="a.png" alt="">words</a>', 'alt=""'),
        ("[![](my%20pic.png)](x)", 'alt="my pic.png"'),
        ("[![](a.png) words](x)", 'alt="" loading="lazy"> words</a>'),
    ],
)
def test_what_people_write_is_drawn(written, drawn):
    assert drawn in html(written)


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("a.py", "/repositories/demo/browse/main/docs/a.py"),
        ("./a%20b.py", "/repositories/demo/browse/main/docs/a%20b.py"),
        ("../src/x.c#L3-L5", "/repositories/demo/browse/main/src/x.c#L3-L5"),
        ("../other.md#part", "/repositories/demo/browse/main/other.md#user-content-part"),
        ("/LICENSE?plain=1", "/repositories/demo/browse/main/LICENSE?plain=1"),
        ("../../../../etc/passwd", "/repositories/demo/browse/main/etc/passwd"),
        ("..", "/repositories/demo/browse/main"),
        ("#part", "#user-content-part"),
        ("caf%E9", "/repositories/demo/browse/main/docs/caf%E9"),
        ("ü", "/repositories/demo/browse/main/docs/%C3%BC"),
        ("a%3Fb%23c%25", "/repositories/demo/browse/main/docs/a%3Fb%23c%25"),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("//other.example/x", "https://other.example/x"),
        ("HTTPS://other.example", "HTTPS://other.example"),
        ("javascript:alert(1)", None),
        ("java\tscript:alert(1)", None),
        (" \x01javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("vbscript:x", None),
        ("http:x", None),
        ("\\\\other.example", None),
        ("/\\other.example", None),
        ("//[", None),
        ("a%00b", None),
    ],
)
def test_targets_lead_into_the_repository_or_to_the_web_or_nowhere(target, address):
    assert ADDRESSES.of_link(target) == address


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("a.png?raw=true#x", "/repositories/demo/raw/main/docs/a.png"),
        ("/a.png", "/repositories/demo/raw/main/a.png"),
        ("https://other.example/a.png", None),
        ("//other.example/a.png", None),
        ("data:image/png;base64,AAAA", None),
        ("", "/repositories/demo/raw/main/docs"),
    ],
)
def test_pictures_come_from_the_repository_alone(target, address):
    assert ADDRESSES.of_image(target) == address


@pytest.mark.parametrize(
    ("written", "drawn"),
    [
        ("![alt](https://x.example/a.svg)", '<a href="https://x.example/a.svg" title="A picture on another server"'),
        (
            "[![build](https://x.example/a.svg)](https://ci.example)",
            'href="https://ci.example" rel="nofollow noopener noreferrer">build</a>',
        ),
        ('<img alt="Zed &amp; co" src="https://x.example/a">', ">Zed &amp; co</a>"),
        ('<a href="/x"><img src=https://x.example/a alt=logo></a>', 'rel="nofollow noopener noreferrer">logo</a>'),
        ("![](https://x.example/a)", ">picture</a>"),
        ('<a href="/x">\n\n![set apart](https://x.example/a)\n\n</a>', "<p>set apart</p>\n</a>"),
        (
            '<a href="/x">\n\n[y](z)\n\n![after](https://x.example/a)',
            'server" rel="nofollow noopener noreferrer">after</a>',
        ),
        ('<a id="top"/>\n\n![after](https://x.example/a)', 'server" rel="nofollow noopener noreferrer">after</a>'),
        ('<!--><img src="https://x.example/a" alt="seen">', ">seen</a>"),
        (
            "<!--\n<a href=x>\n-->\n\n![after](https://x.example/a)",
            'server" rel="nofollow noopener noreferrer">after</a>',
        ),
    ],
)
def test_pictures_elsewhere_are_told_as_links_and_never_loaded(written, drawn):
    assert drawn in html(written)
    assert "<img" not in html(written)


HOSTILE = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    '<img src="x" onerror="alert(1)" alt=">">',
    "<svg onload=alert(1)><script>1</script></svg>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<object data=x></object><embed src=x>",
    "<form action=/x method=post><button>x</button><input name=a></form>",
    "<a href=javascript:alert(1)>x</a>",
    '<a href="jav&#x09;ascript:alert(1)">x</a>',
    "[x](javascript:alert(1))",
    "[x](<java\nscript:alert(1)>)",
    "![x](javascript:alert(1))",
    '[x](https://a.example "onmouseover=alert(1) \\" onclick=\\"alert(1)")',
    "<style>body{display:none}</style>",
    '<div style="position:fixed;inset:0">x</div>',
    "<meta http-equiv=refresh content=0><base href=//evil.example><link rel=stylesheet href=x>",
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    '<div hx-get="/x" hx-trigger="load" data-copy="y" popover>x</div>',
    '```"><script>alert(1)</script>\nx\n```',
    '<p id="main" class="shell rail">x</p>',
    '<a name="messages">x</a>',
    "<!-- <img --><b onclick=x>",
    "<details ontoggle=alert(1) open>",
    "<template><img src=x onerror=alert(1)></template>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    '<textarea><img title="</textarea><img src=x onerror=alert(1)>">',
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_what_could_do_harm_is_gone(number):
    found = html(HOSTILE[number])
    tags = re.findall(r"<([a-z][a-z0-9]*)((?:\s+[^\s=>]+(?:=\"[^\"]*\")?)*)\s*>", found)
    assert len(tags) == len(re.findall(r"<[a-z]", found))  # every tag is one of the plain form that is looked at here
    for tag, attributes in tags:
        assert tag in markup.TAGS
        for name, value in re.findall(r"([^\s=]+)=\"([^\"]*)\"", attributes):
            assert name in {"href", "src", "alt", "title", "rel", "id", "name", "class", "open", "loading", "type"} | {
                "disabled",
                "aria-label",
            }
            assert name not in ("id", "name") or value.startswith("user-content-")
            assert name != "class" or value in markup.CLASSES
            assert name not in ("href", "src") or value.startswith(("https://a.example", "/repositories/demo/"))


class Piece(NamedTuple):
    css_class: str
    text: str


def test_code_is_coloured_by_the_language_it_names():
    asked = []

    def highlight(code, filename):
        asked.append((code, filename))
        return [(Piece("k", "return"), Piece("", " <1>"))]

    found = html("```python\nreturn <1>\n```\n\n```nonsense\nx\n```\n\n    indented\n", highlight=highlight)
    assert asked == [("return <1>\n", "code.py")]
    assert '<code class="highlight"><span class="k">return</span> &lt;1&gt;\n</code>' in found
    assert "<code>x\n</code>" in found


def test_a_text_that_draws_the_marks_of_code_gets_nothing_from_it():
    assert "<pre><code>a\n</code></pre>" in html("```\na\n```\n\n0123456789abcdef0123456789abcdef-0-")


@pytest.mark.parametrize(
    ("word", "name"), [("sh", "code.sh"), ("C++", "code.cpp"), ("yaml", "code.yaml"), ("Makefile", ""), ("", "")]
)
def test_words_for_languages_become_names_of_files(word, name):
    assert markup.filename_of(word).rpartition("/")[2] == (name or markup.filename_of(word))


def test_rendering_apart_gives_the_same():
    text = "# A\n\n```python\nx\n```\n\n[b](c.md)\n"
    assert markup.render(text, ADDRESSES) == html(text)


def test_a_text_that_keeps_the_parser_busy_is_given_up_and_the_next_one_drawn(monkeypatch):
    assert markup.render("warm", ADDRESSES) == "<p>warm</p>\n"
    with monkeypatch.context() as patch:
        patch.setattr(markup, "CPU_SECONDS", 0.2)
        assert markup.render("[" * 100_000, ADDRESSES) is None
    assert markup.render("next", ADDRESSES) == "<p>next</p>\n"


def test_a_text_that_is_too_large_is_not_begun():
    assert markup.render("x" * (markup.MAX_CHARACTERS + 1), ADDRESSES) is None


def test_code_whose_place_became_part_of_an_attribute_stays_away():
    """HTML before a block of code may open a quotation mark that HTML after it closes."""
    for code in ("```python\nx = 1\n```", "    x = 1"):
        made = markup.html(
            f'<p title="\n\n{code}\n\n<p>" id=z>after</p>\n', ADDRESSES, highlight=lambda *_: [(Piece("k", "x"),)]
        )
        assert "x = 1" not in made
        assert "<code" not in made
        assert made.count('"') == 4
        assert ' id="user-content-z">after</p>' in made
