"""YAML text to nodes that remember their line and their place, with every problem collected instead of raised.

Only the composing half of PyYAML's safe loader is used: no tag ever makes an object, an alias is walked but never
copied, and size, depth and the number of nodes walked are limited.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

MAX_TEXT_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 40
# A bomb of aliases within aliases grows past this at once; a real buildspec has a few hundred.
MAX_NODES = 100_000
# Source: YAML 1.1, "bool": the forms that PyYAML and the AWS reference (yes/no) know.
BOOLEANS = {"yes": True, "no": False, "true": True, "false": False, "on": True, "off": False}
MERGE_TAG = "tag:yaml.org,2002:merge"
NULL_TAG = "tag:yaml.org,2002:null"


@dataclass(frozen=True, order=True)
class Problem:
    """One fault of a file.

    Attributes:
        line: From 1; 0 where it concerns the file as a whole.
        key: Where it is, "phases.build.commands[0]"; empty for the file as a whole.
        sentence: What is wrong and what would be right.
    """

    line: int
    key: str
    sentence: str

    def __str__(self) -> str:
        place = ", ".join(part for part in (f"line {self.line}" if self.line else "", self.key) if part)
        return f"{place}: {self.sentence}" if place else self.sentence


class TooManyNodes(Exception):
    """The walk went on for longer than any honest file needs."""


class Walk:
    """What all nodes of one file share: the problems found and the nodes walked so far."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.count = 0

    def step(self) -> None:
        self.count += 1
        if self.count > MAX_NODES:
            raise TooManyNodes


class Node:
    """A YAML node at a place. A method that finds the wrong kind of thing notes a problem and gives an empty value."""

    def __init__(self, raw: yaml.Node, key: str, walk: Walk) -> None:
        self.raw = raw
        self.key = key
        self.walk = walk
        walk.step()

    @property
    def line(self) -> int:
        return self.raw.start_mark.line + 1

    @property
    def is_null(self) -> bool:
        return isinstance(self.raw, yaml.ScalarNode) and self.raw.tag == NULL_TAG

    @property
    def is_scalar(self) -> bool:
        return isinstance(self.raw, yaml.ScalarNode)

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.raw, yaml.MappingNode)

    @property
    def is_sequence(self) -> bool:
        return isinstance(self.raw, yaml.SequenceNode)

    def problem(self, sentence: str) -> None:
        self.walk.problems.append(Problem(self.line, self.key, sentence))

    def kind(self) -> str:
        """What the node is, in words for a sentence."""
        if self.is_null:
            return "nothing"
        return "a map" if self.is_mapping else "a list" if self.is_sequence else f"“{self.raw.value[:40]}”"

    def mapping(self) -> dict[str, Node]:
        """Keys to nodes in file order. A key that stands twice is a problem; `<<` merges as YAML 1.1 says."""
        if not self.is_mapping:
            self.problem(f"must be a map, but it is {self.kind()}.")
            return {}
        found: dict[str, Node] = {}
        merged: list[yaml.Node] = []
        for key_node, value in self.raw.value:
            if key_node.tag == MERGE_TAG:
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
            elif not isinstance(key_node, yaml.ScalarNode):
                self.walk.problems.append(
                    Problem(key_node.start_mark.line + 1, self.key, "has a key that is no plain text.")
                )
            else:
                name = key_node.value
                child = Node(value, f"{self.key}.{name}" if self.key else name, self.walk)
                if name in found:
                    line = key_node.start_mark.line + 1
                    sentence = f"stands twice; it is on line {found[name].line} already."
                    self.walk.problems.append(Problem(line, child.key, sentence))
                else:
                    found[name] = child
        for node in merged:
            for name, child in Node(node, self.key, self.walk).mapping().items():
                found.setdefault(name, child)
        return found

    def sequence(self) -> list[Node]:
        """The items in order."""
        if not self.is_sequence:
            self.problem(f"must be a list, but it is {self.kind()}.")
            return []
        return [Node(item, f"{self.key}[{index}]", self.walk) for index, item in enumerate(self.raw.value)]

    def text(self) -> str:
        """A scalar as it is written in the file: `1.10` stays "1.10", `yes` stays "yes", nothing is ""."""
        if not self.is_scalar:
            self.problem(f"must be text, but it is {self.kind()}.")
            return ""
        return "" if self.is_null else str(self.raw.value)

    def boolean(self) -> bool:
        value = BOOLEANS.get(self.raw.value.lower()) if self.is_scalar else None
        if value is None:
            self.problem(f"must be yes or no, but it is {self.kind()}.")
            return False
        return value

    def texts(self) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(item.text() for item in self.sequence())

    def text_map(self) -> dict[str, str]:
        """A map of texts."""
        return {name: node.text() for name, node in self.mapping().items()}


def compose(text: str, walk: Walk) -> Node | None:
    """The root node, or None with the problem noted where the text is no YAML or is nothing at all."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        walk.problems.append(Problem(0, "", f"The file is larger than {MAX_TEXT_BYTES // 2**20} MiB."))
        return None
    try:
        _check_depth(text)
        raw = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        # CodeBuild's form, "did not find expected ',' or ']' at line 19"; PyYAML words most of these alike.
        sentence = f"{error.problem or error.context} at line {line}"
        walk.problems.append(Problem(line, "", sentence))
        return None
    except yaml.YAMLError as error:  # a byte that no YAML file may hold
        walk.problems.append(Problem(0, "", f"The file is no YAML: {str(error).splitlines()[0]}."))
        return None
    if raw is None:
        walk.problems.append(Problem(0, "", "The file is empty."))
        return None
    return Node(raw, "", walk)


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the composer, which recurses, meets it."""
    depth = 0
    for event in _events(text):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                mark: Any = event.start_mark
                raise yaml.MarkedYAMLError(None, None, "the nesting is deeper than any buildspec's", mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _events(text: str) -> Iterator[yaml.Event]:
    return iter(yaml.parse(text, Loader=yaml.SafeLoader))
