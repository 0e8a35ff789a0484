"""Icons of the heroicons package as inline SVG.

Source: heroicons' own archive. Its functions open it anew for each icon, which costs a new process a second.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from xml.etree import ElementTree
from zipfile import ZipFile

_NAMESPACE = "{http://www.w3.org/2000/svg}"


class IconDoesNotExist(Exception):
    """The package has no icon of that name in that style."""


def svg(style: str, name: str, size: int, attributes: Mapping[str, str]) -> str:
    """An icon as an SVG element.

    Args:
        style: micro, mini, outline or solid.
        size: Width and height in CSS pixels.
        attributes: More attributes of the element; they are escaped.

    Raises:
        IconDoesNotExist: There is no such icon.
    """
    try:
        element = ElementTree.fromstring(_archive().read(f"{style}/{name}.svg"))  # noqa: S314  an installed package's
    except KeyError as missing:
        raise IconDoesNotExist(f"There is no icon “{name}” in the style {style}.") from missing
    for node in element.iter():
        node.tag = node.tag.removeprefix(_NAMESPACE)  # inline SVG needs no namespace
    element.attrib |= {"width": str(size), "height": str(size), **attributes}
    return ElementTree.tostring(element, encoding="unicode")


@cache
def _archive() -> ZipFile:
    """In memory, since processes that are forked would share a file's position."""
    return ZipFile(io.BytesIO((files("heroicons") / "heroicons.zip").read_bytes()))
