"""A README or another Markdown file to HTML that may stand in a page of ours.

CommonMark with what people write besides: tables, strikethrough, task lists, footnotes, bare web addresses, links to
headings, and the harmless part of HTML. The text is anybody's, so the HTML that comes of it is parsed and written anew
by nh3 with the lists below: no scripts, styles, forms, frames or event handlers, no addresses but http, https and
mailto; ids get a prefix, so that they meet none of the page's, and classes are the few that are made here.

Links and pictures that stay inside the repository lead to its pages at the same revision. Pictures elsewhere are told
as links: the page may load nothing from other servers, which would learn who reads what.

`html` does it at once; a hostile text keeps Markdown's parser busy for minutes (100,000 "[" nearly for ever), so pages
call `render`, which lets a process of its own do it and ends that when it has used up its time.
"""

from __future__ import annotations

import posixpath
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from html import escape, unescape
from itertools import takewhile
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.tasklists import tasklists_plugin
from pygments.lexers import get_all_lexers

from repos.text.child_pool import ChildPool, Stopped

# Beyond these it is no text that people read rendered. READMEs of 100 KB exist; an honest one takes 0.1 s for 20 KB.
MAX_CHARACTERS: Final = 256 * 1024
MAX_HTML_CHARACTERS: Final = 2 * 1024 * 1024
CPU_SECONDS: Final = 2.0
# For a turn, and then for the answer of a machine that does much else.
WAIT_SECONDS: Final = 8.0
# Code in a text that is coloured; what comes after it stays plain.
MAX_FENCES: Final = 100
MAX_FENCE_CHARACTERS: Final = 64 * 1024
ID_PREFIX: Final = "user-content-"
SUFFIXES: Final = (".md", ".markdown", ".mdown", ".mkd", ".mkdn")
SCHEMES: Final = frozenset({"http", "https", "mailto"})
_SAFE: Final = "/:@!$&'()*+,;=~"

_TAG_NAMES: Final = """
    a abbr b blockquote br caption center code col colgroup dd del details div dl dt em figcaption figure
    h1 h2 h3 h4 h5 h6 hr i img input ins kbd li mark ol p picture pre q rp rt ruby s samp section small
    span strike strong sub summary sup table tbody td tfoot th thead tr tt u ul var
"""
TAGS: Final = frozenset(_TAG_NAMES.split())
DROPPED_WITH_CONTENT: Final = frozenset({"script", "style", "iframe", "object", "noscript", "template", "textarea"})
ATTRIBUTES: Final[dict[str, set[str]]] = {
    "*": {"id", "title", "lang", "dir", "align", "class", "aria-label"},
    "a": {"href", "name"},
    "img": {"src", "alt", "width", "height"},
    "input": {"checked"},
    "ol": {"start", "type", "reversed"},
    "li": {"value"},
    "details": {"open"},
    "td": {"colspan", "rowspan", "valign"},
    "th": {"colspan", "rowspan", "valign", "scope"},
    "col": {"span"},
}
# A box is what task lists have, and nothing else.
FORCED: Final[dict[str, dict[str, str]]] = {
    "input": {"type": "checkbox", "disabled": "", "aria-label": "Task"},
    "img": {"loading": "lazy"},
}
ALERTS: Final = ("note", "tip", "important", "warning", "caution")
# What the extensions of Markdown give to what they make.
CLASSES: Final = frozenset(
    {
        *("task-list-item", "contains-task-list", "footnotes", "footnotes-sep", "footnote-ref", "anchor"),
        *("markdown-alert", "markdown-alert-title", *(f"markdown-alert-{kind}" for kind in ALERTS)),
    }
)

_ATTRIBUTE: Final = re.compile(r"""\b(src|alt)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
# What matters of HTML: where a link begins, where it ends, and pictures. What is in a comment is none of those.
_HTML_PART: Final = re.compile(r"<!--(?:-?>|.*?(?:--!?>|\Z))|<img\b[^>]*>|<a\b[^>]*|</a\b", re.IGNORECASE | re.DOTALL)
_HREF: Final = re.compile(r"\shref\s*=", re.IGNORECASE)
_ALIGNMENT: Final = re.compile(r"text-align:\s*(left|right|center)")
_NOT_IN_SLUG: Final = re.compile(r"[^\w\- ]")
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9_+#.-]{1,40}")


class Piece(Protocol):
    """A part of a line of code and Pygments' short class of it, as `repos.text.highlight` gives it."""

    @property
    def css_class(self) -> str: ...
    @property
    def text(self) -> str: ...


Highlight = Callable[[str, str], Sequence[Sequence[Piece]] | None]


@dataclass(frozen=True)
class Addresses:
    """Where a text's links lead.

    Attributes:
        browse: The address of the root folder at the text's revision, "/repositories/demo/browse/main".
        raw: That of files' bytes, "/repositories/demo/raw/main".
        folder: The folder that the text lies in, without slashes at its ends; bytes that are not UTF-8 as surrogates.
        id_prefix: What the text's ids begin with; another one for each of the texts that stand in one page.
    """

    browse: str
    raw: str
    folder: str = ""
    id_prefix: str = ID_PREFIX

    def of_link(self, target: str) -> str | None:
        """The address for a link's target as it is written; None where it leads nowhere that a page may lead to."""
        address, path, query, fragment = self._parts(target)
        if path is None:
            return address
        if not target.strip().partition("#")[0]:
            return f"#{self.id_prefix}{fragment}" if fragment else "#"
        if fragment and path.lower().endswith(SUFFIXES):
            fragment = ID_PREFIX + fragment
        return self._joined(self.browse, path) + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")

    def of_image(self, target: str) -> str | None:
        """The address of a picture in the repository; None for all others."""
        _, path, _, _ = self._parts(target)
        return self._joined(self.raw, path) if path else None

    def _parts(self, target: str) -> tuple[str | None, str | None, str, str]:
        """(address elsewhere or None, path inside or None, query, fragment)."""
        # As browsers do: the ends are stripped of spaces and controls, tabs and line ends inside vanish.
        target = re.sub(r"[\t\r\n]", "", target.strip("".join(map(chr, range(33)))))
        try:
            parts = urlsplit(target)
        except ValueError:
            return None, None, "", ""
        if parts.scheme or target.startswith(("//", "\\", "/\\")):
            scheme = parts.scheme.lower()
            if scheme == "mailto" or (scheme in SCHEMES and parts.netloc):
                return target, None, "", ""
            return (f"https:{target}" if target.startswith("//") and parts.netloc else None), None, "", ""
        raw = unquote_to_bytes(parts.path.encode("utf-8", "surrogateescape"))
        written = raw.decode("utf-8", "surrogateescape")
        if "\0" in written:
            return None, None, "", ""
        start = "/" if written.startswith("/") else f"/{self.folder}/"
        path = posixpath.normpath(start + written.lstrip("/")).lstrip("/") if written else self.folder
        return None, path, quote(parts.query, safe="=&/:@!$'()*+,;~?%"), quote(parts.fragment, safe="/:@!$&'()*+,;=~?%")

    def _joined(self, base: str, path: str) -> str:
        return f"{base}/{quote(path, safe=_SAFE, errors='surrogateescape')}" if path else base


def render(text: str, addresses: Addresses, *, highlight: Highlight | None = None) -> str | None:
    """HTML of a Markdown text, safe to stand in a page.

    Args:
        text: The file's content, decoded.
        addresses: Where its links lead.
        highlight: `repos.text.highlight.lines`, for code with a language.

    Returns:
        None where the text is too large or takes too long, always: it is shown as it is written.

    Raises:
        Stopped: The machine has no time for it just now.
    """
    if len(text) > MAX_CHARACTERS:
        return None
    try:
        pieces, fences = _children.call(text, asdict(addresses), cpu_seconds=CPU_SECONDS, wait_seconds=WAIT_SECONDS)
    except Stopped as error:
        if error.is_final:
            return None
        raise
    return _joined(pieces, fences, highlight)


def html(text: str, addresses: Addresses, *, highlight: Highlight | None = None) -> str:
    """Like `render`, in this process and however long it takes."""
    pieces, fences = parts(text, asdict(addresses))
    return _joined(pieces, fences, highlight)


def is_markdown(name: str) -> bool:
    """Whether a file's name says that it is one."""
    return name.lower().endswith(SUFFIXES)


def parts(text: str, addresses: dict[str, str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Safe HTML in pieces, and (language, code) of what stands between two of them; called in the process apart."""
    where = Addresses(**addresses)
    environment: dict[str, Any] = {"addresses": where, "fences": [], "mark": secrets.token_hex(16)}
    # Lone surrogates can't be written as UTF-8, in which nh3 takes its text.
    found = _parser().render(text.encode("utf-8", "replace").decode(), environment)
    clean = nh3.clean(
        found,
        tags=set(TAGS),
        clean_content_tags=set(DROPPED_WITH_CONTENT),
        attributes=ATTRIBUTES,
        attribute_filter=lambda tag, name, value: _attribute(where, tag, name, value),
        url_schemes=set(SCHEMES),
        link_rel="nofollow noopener noreferrer",
        set_tag_attribute_values=FORCED,
    )
    if len(clean) > MAX_HTML_CHARACTERS:
        raise ValueError("the HTML would be too large")
    # Nothing but an element reads "<pre>" here: HTML in the text may have made a place part of an attribute, whose
    # angle brackets are escaped.
    pieces = re.split(rf"(?<=<pre>){environment['mark']}-(\d+)-(?=</pre>)", clean)
    return pieces[::2], [environment["fences"][int(index)] for index in pieces[1::2]]


def _attribute(where: Addresses, tag: str, name: str, value: str) -> str | None:
    if name in ("id", "name"):
        return where.id_prefix + value.removeprefix(ID_PREFIX) if value else None
    if name == "class":
        return " ".join(one for one in value.split() if one in CLASSES) or None
    if name == "href":
        return where.of_link(value)
    if name == "src":
        return where.of_image(value)
    return value


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "linkify": True})
    parser.enable(["table", "strikethrough", "linkify"])
    assert parser.linkify is not None
    # Else "README.md" is an address in Moldova.
    parser.linkify.set({"fuzzy_link": False, "fuzzy_ip": False, "fuzzy_email": False})
    parser.options["alerts"] = True
    parser.use(footnote_plugin).use(tasklists_plugin)
    parser.core.ruler.push("heading_ids", _name_headings)
    parser.core.ruler.push("pictures", _tell_pictures)
    for name, rule in (
        ("image", _image),
        ("fence", _fence),
        ("code_block", _fence),
        ("th_open", _cell),
        ("td_open", _cell),
    ):
        parser.add_render_rule(name, rule)
    return parser


def _name_headings(state: StateCore) -> None:
    """Give headings the ids that other servers give them, so that links that people wrote for those work here."""
    taken: dict[str, int] = {}
    for token, following in zip(state.tokens, state.tokens[1:], strict=False):
        if token.type != "heading_open":
            continue
        title = "".join(one.content for one in following.children or [] if one.type in ("text", "code_inline"))
        slug = _NOT_IN_SLUG.sub("", title.strip().lower()).replace(" ", "-")
        count = taken.get(slug, 0)
        taken[slug] = count + 1
        token.attrSet("id", f"{slug}-{count}" if count else slug)


def _tell_pictures(state: StateCore) -> None:
    """Replace the pictures of HTML that may not be shown, and note for those of Markdown whether a link has them.

    A link of HTML goes on over the ends of paragraphs, until one ends or another begins (HTML Standard, "The rules for
    parsing tokens in HTML content"), so this reads all of the text in order.
    """
    where: Addresses = state.env["addresses"]
    in_link = False

    def replaced(match: re.Match[str]) -> str:
        nonlocal in_link
        part = match[0]
        if part[1:4].lower() == "img":
            found = {row[1].lower(): unescape(row[2] or row[3] or row[4] or "") for row in _ATTRIBUTE.finditer(part)}
            source, alternative = found.get("src", ""), found.get("alt")
            if not where.of_image(source):
                return _instead(where, source, alternative or "", in_link)
            if in_link and alternative is None:
                return f'<img alt="{escape(_file_name(source))}"{part[4:]}'
        if not part.startswith("<!"):
            in_link = _HREF.search(part) is not None
        return part

    for block in state.tokens:
        has_words = False
        for index, token in enumerate(tokens := block.children or [block]):
            if token.type in ("link_open", "link_close"):
                in_link = token.type == "link_open"
                has_words = in_link and _has_words(tokens, index)
            elif token.type == "image":
                token.meta |= {"in_link": in_link, "needs_name": in_link and not has_words}
            elif token.type in ("html_block", "html_inline"):
                token.content = _HTML_PART.sub(replaced, token.content)


def _has_words(tokens: Sequence[Token], opening: int) -> bool:
    """Whether a link of Markdown has text beside its pictures."""
    behind = (tokens[index] for index in range(opening + 1, len(tokens)))
    inside = takewhile(lambda one: one.type != "link_close", behind)
    return any(one.type in ("text", "code_inline") and one.content.strip() for one in inside)


def _image(self: Any, tokens: Sequence[Token], index: int, options: Any, environment: dict[str, Any]) -> str:
    token = tokens[index]
    where: Addresses = environment["addresses"]
    source, title = str(token.attrGet("src") or ""), str(token.attrGet("title") or "")
    alternative = self.renderInlineAsText(token.children or [], options, environment)
    if not where.of_image(source):
        return _instead(where, source, alternative, token.meta["in_link"])
    if token.meta["needs_name"] and not alternative:
        alternative = _file_name(source)
    titled = f' title="{escape(title)}"' if title else ""
    return f'<img src="{escape(source)}" alt="{escape(alternative)}"{titled}>'


def _file_name(source: str) -> str:
    """What a picture without words is called where a link has nothing else to be called by."""
    return posixpath.basename(unquote(source.partition("?")[0]))


def _instead(where: Addresses, source: str, alternative: str, in_link: bool) -> str:
    """What stands for a picture that may not be shown."""
    address = where.of_link(source)
    words = escape(alternative.strip() or "picture")
    if in_link or address is None:
        return words
    return f'<a href="{escape(address)}" title="A picture on another server">{words}</a>'


def _fence(self: Any, tokens: Sequence[Token], index: int, options: Any, environment: dict[str, Any]) -> str:
    """A place for code, which is coloured by another process and goes around nh3."""
    token = tokens[index]
    fences = environment["fences"]
    language = (token.info.split() or [""])[0]
    fences.append((language if _LANGUAGE.fullmatch(language) else "", token.content))
    return f"<pre>{environment['mark']}-{len(fences) - 1}-</pre>\n"


def _cell(self: Any, tokens: Sequence[Token], index: int, options: Any, environment: dict[str, Any]) -> str:
    """A cell whose alignment is an attribute, since a page of ours takes no styles."""
    match = _ALIGNMENT.fullmatch(str(tokens[index].attrGet("style") or ""))
    return f'<{tokens[index].tag} align="{match[1]}">' if match else f"<{tokens[index].tag}>"


def _joined(pieces: Sequence[str], fences: Sequence[Sequence[str]], highlight: Highlight | None) -> str:
    left = MAX_FENCE_CHARACTERS
    done = [pieces[0]]
    for number, ((language, code), piece) in enumerate(zip(fences, pieces[1:], strict=True)):
        colours = None
        filename = filename_of(language)
        if highlight is not None and filename and number < MAX_FENCES and len(code) <= left:
            left -= len(code)
            colours = highlight(code, filename)
        done += [_code(code, colours), piece]
    return "".join(done)


def _code(code: str, colours: Sequence[Sequence[Piece]] | None) -> str:
    if colours is None:
        return f"<code>{escape(code)}</code>"
    lines = (
        "".join(
            f'<span class="{escape(one.css_class)}">{escape(one.text)}</span>' if one.css_class else escape(one.text)
            for one in line
        )
        for line in colours
    )
    return '<code class="highlight">' + "\n".join(lines) + "\n</code>"


def filename_of(language: str) -> str:
    """A file name that means the same language as the word behind the opening of a code block; "" for none."""
    return _filenames().get(language.lower(), "")


@cache
def _filenames() -> dict[str, str]:
    names: dict[str, str] = {}
    for _, aliases, patterns, _ in get_all_lexers(plugins=False):
        plain = [pattern for pattern in patterns if not re.search(r"[\[\]?]", pattern)]
        if plain:
            names |= {alias.lower(): plain[0].replace("*", "code") for alias in aliases if alias.lower() not in names}
    return names


_children = ChildPool("repos.text.markup:parts", first=("", asdict(Addresses("", ""))))
