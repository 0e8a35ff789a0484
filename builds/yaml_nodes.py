"""YAML text to nodes that remember their line and their place, with every problem collected instead of raised.

Only the composing half of PyYAML's safe loader is used: no tag ever makes an object, an alias is walked but never
copied, and size, depth and the number of nodes are limited. It is the loader over libyaml, whose words for a fault are
those of CodeBuild, which parses with a port of that library.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import yaml

MAX_TEXT_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 40
# A bomb of aliases within aliases grows past this at once; a real buildspec has a few hundred.
MAX_NODES = 100_000
MAX_INTEGER_DIGITS = 9
MAX_SHOWN_KEY = 100
MAX_SHOWN_VALUE = 40
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
        is_whole: The sentence is CodeBuild's own, and says by itself where the fault is.
    """

    line: int
    key: str
    sentence: str
    is_whole: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        if self.is_whole and not self.key:
            return self.sentence
        place = ", ".join(part for part in (f"line {self.line}" if self.line else "", self.key) if part)
        return f"{place}: {self.sentence}" if place else self.sentence


class TooManyNodes(Exception):
    """The walk went on for longer than any honest file needs."""


class Walk:
    """What all nodes of one file share: the problems and warnings found, and the nodes walked so far."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.count = 0

    def step(self) -> None:
        """Count one more node; raises TooManyNodes."""
        self.count += 1
        if self.count > MAX_NODES:
            raise TooManyNodes


class Node:
    """A YAML node at a place. A method that finds the wrong kind of thing notes a problem and gives an empty value."""

    def __init__(self, raw: yaml.Node, key: str, walk: Walk, key_node: yaml.Node | None = None) -> None:
        self.raw = raw
        self.key = key
        self.walk = walk
        # Where a person looks: at the key, whose value may begin lines below or stand behind an alias.
        self.line = (key_node or raw).start_mark.line + 1
        walk.step()

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

    def problem(self, sentence: str, *, is_whole: bool = False) -> None:
        """Note what is wrong here. `is_whole`: the sentence needs no key before it."""
        self.walk.problems.append(Problem(self.line, self.key, sentence, is_whole))

    def warning(self, sentence: str) -> None:
        """Note what is odd here, and yet no reason to refuse the file."""
        self.walk.warnings.append(Problem(self.line, self.key, sentence))

    def kind(self) -> str:
        """What the node is, in words for a sentence."""
        if self.is_null:
            return "nothing"
        return "a map" if self.is_mapping else "a list" if self.is_sequence else f"“{self.raw.value[:MAX_SHOWN_VALUE]}”"

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
                shown = name[:MAX_SHOWN_KEY]
                child = Node(value, f"{self.key}.{shown}" if self.key else shown, self.walk, key_node)
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

    def block(self, keys: Collection[str]) -> Block:
        """A map with known keys. Others change nothing and are warned of."""
        found = Block(self.mapping())
        for name, child in found.items():
            if name not in keys:
                meant = get_close_matches(name, keys, 1)
                child.warning(f"is no known key and is ignored.{f' Did you mean {meant[0]}?' if meant else ''}")
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
        text = "" if self.is_null else str(self.raw.value)
        if "\0" in text:
            self.problem("holds a NUL character, which no shell takes.")
        return text

    def choice(self, words: Collection[str]) -> str:
        """One of some words; "" with the problem noted where it is none of them."""
        text = self.text()
        if text in words or not self.is_scalar:
            return text
        self.problem(f"must be {_or(words)}, but it is {self.kind()}.")
        return ""

    def integer(self, low: int, high: int) -> int:
        """A whole number within limits."""
        text = self.text()
        if text.isascii() and text.isdecimal() and len(text) <= MAX_INTEGER_DIGITS and low <= int(text) <= high:
            return int(text)
        if self.is_scalar:
            self.problem(f"must be a number from {low} to {high}, but it is {self.kind()}.")
        return low

    def boolean(self) -> bool:
        """Yes or no; anything else is a problem."""
        value = BOOLEANS.get(self.raw.value.lower()) if self.is_scalar else None
        if value is None:
            self.problem(f"must be yes or no, but it is {self.kind()}.")
            return False
        return value

    def texts(self) -> tuple[str, ...]:
        """A list of texts; one that is empty is a problem."""
        found = []
        for item in self.sequence():
            found.append(item.text())
            if item.is_scalar and not found[-1]:
                item.problem("is empty.")
        return tuple(found)

    def patterns(self) -> tuple[str, ...]:
        """A list of paths or patterns; a single one may stand without its dash."""
        return (self.text(),) if self.is_scalar and not self.is_null else self.texts()

    def text_map(self) -> dict[str, str]:
        """A map of texts."""
        return {name: node.text() for name, node in self.mapping().items()}


class Block(dict[str, Node]):
    """Keys to nodes, asked for by key: what is left out, or has nothing behind it, gives an empty value."""

    def has(self, key: str) -> bool:
        """Whether the key is there with something behind it."""
        return key in self and not self[key].is_null

    def text(self, key: str) -> str:
        """The text under a key, or an empty one."""
        return self[key].text() if key in self else ""

    def boolean(self, key: str) -> bool:
        """The yes or no under a key; no where it is missing."""
        return self[key].boolean() if self.has(key) else False

    def patterns(self, key: str) -> tuple[str, ...]:
        """The paths or patterns under a key, or none."""
        return self[key].patterns() if self.has(key) else ()

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts under a key, or none."""
        return self[key].texts() if self.has(key) else ()

    def inner(self, key: str, keys: Collection[str]) -> Block:
        """The block below a key."""
        return self[key].block(keys) if self.has(key) else Block()


def compose(text: str, walk: Walk) -> Node | None:
    """The root node, or None with the problem noted where the text is no YAML or is nothing at all."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        walk.problems.append(Problem(0, "", f"The file is larger than {MAX_TEXT_BYTES // 2**20} MiB."))
        return None
    try:
        _check_size(text)
        raw = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        walk.problems.append(_syntax_problem(error))
        return None
    except (yaml.YAMLError, UnicodeError) as error:  # a character that no YAML file may hold
        walk.problems.append(Problem(0, "", f"The file is no YAML: {str(error).splitlines()[0]}."))
        return None
    if raw is None:
        walk.problems.append(Problem(0, "", "The file is empty."))
        return None
    return Node(raw, "", walk)


def _syntax_problem(error: yaml.MarkedYAMLError) -> Problem:
    """In CodeBuild's form: "did not find expected ',' or ']' at line 19"."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    words = error.problem
    if words == "second occurrence" and error.context_mark is not None:
        words = f"the anchor stands twice, first on line {error.context_mark.line + 1},"
    elif words == "but found another document":
        words = "the file holds more than one YAML document: the next begins"
    return Problem(line, "", f"{words or error.context} at line {line}", is_whole=True)


def _check_size(text: str) -> None:
    """Refuse many nodes and deep nesting before the composer, which recurses and keeps all, meets them."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
        mark: Any = event.start_mark
        if count > 2 * MAX_NODES:  # a collection has an event at its begin and one at its end
            raise yaml.MarkedYAMLError(None, None, f"the file has more than {MAX_NODES:,} values", mark)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise yaml.MarkedYAMLError(None, None, "the nesting is deeper than any buildspec's", mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _or(words: Collection[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
