"""The grammar: a document's text to compiled statements, or every fault with its line and column.

Source: IAM User Guide, "Grammar of the IAM JSON policy language" and "IAM JSON policy elements".
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from codeservices.iam.policy import conditions, patterns, reader
from codeservices.iam.policy.conditions import Test
from codeservices.iam.policy.model import MalformedPolicy, Policy, Problem, Statement
from codeservices.iam.policy.patterns import Matcher, Pattern
from codeservices.iam.policy.reader import Lines, Node, Number, shown

# IAM API Reference, CreatePolicy, PolicyDocument: with white space, which the quotas leave out.
MAX_CHARACTERS = 131_072
VERSIONS = ("2012-10-17", "2008-10-17")
_DOCUMENT_KEYS = ("Version", "Id", "Statement")
STATEMENT_KEYS = ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")
_SID = re.compile(r"[A-Za-z0-9]*")
_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")


def parse(document: str, source: str = "") -> Policy:
    """Compile an identity policy.

    Args:
        document: The JSON text, of at most MAX_CHARACTERS.
        source: A name or ARN told in decisions.

    Raises:
        MalformedPolicy: With every fault, each with its line and column.
    """
    grammar = Grammar(document, source)
    statements = [_identity_statement(grammar, node, number) for number, node in enumerate(grammar.statements(), 1)]
    grammar.finish()
    return Policy(source, tuple(statement for statement in statements if statement is not None), document)


def _identity_statement(grammar: Grammar, node: Node, number: int) -> Statement | None:
    for key in ("Principal", "NotPrincipal"):
        if isinstance(node.value, dict) and key in node.value:
            grammar.fault(node.keys[key], f"{key} may stand only in the policy of a resource or a role's trust policy.")
    members = grammar.members(node, "A statement", (*STATEMENT_KEYS, "Principal", "NotPrincipal"))
    if members is None:
        return None
    return grammar.statement(node, members, number, resources=grammar.resources(node, members))


@dataclass
class Elements:
    """The parts that statements of every kind of policy have, as far as they could be read."""

    allows: bool = False
    sid: str = ""
    actions: tuple[Matcher, ...] = ()
    not_actions: bool = False


@dataclass
class Grammar:
    """Reads one document and gathers its faults; a part with a fault is left out, and `finish` raises in the end."""

    document: str
    source: str
    problems: list[Problem] = field(default_factory=list)
    has_variables: bool = False

    def __post_init__(self) -> None:
        self._lines = Lines(self.document)
        self._sids: set[str] = set()

    # ---- faults ----

    def fault(self, offset: int, sentence: str) -> None:
        """Note what is wrong at that character of the document."""
        self.problems.append(Problem(*self._lines.position(offset), sentence))

    def finish(self) -> None:
        """Raise MalformedPolicy where there were faults."""
        if self.problems:
            raise MalformedPolicy(sorted(self.problems))

    # ---- values ----

    def members(self, node: Node, what: str, allowed: Iterable[str]) -> dict[str, Node] | None:
        """The members of an object, its unknown keys being faults; None where it is no object."""
        if not isinstance(node.value, dict):
            self.fault(node.start, f"{what} must be an object, in braces.")
            return None
        for key, offset in node.keys.items():
            if key not in allowed:
                self.fault(offset, f"{what} has no element “{shown(key)}”.{did_you_mean(key, allowed)}")
        return node.value

    def text(self, node: Node | None, what: str) -> str | None:
        """A text, empty where there is none; None where something else stands there, which is a fault."""
        if node is None:
            return ""
        if isinstance(node.value, str) and not isinstance(node.value, Number):
            return node.value
        self.fault(node.start, f"{what} must be a text, in double quotes.")
        return None

    def texts(self, node: Node, what: str) -> list[tuple[str, int]]:
        """One text or a list of at least one, each with its offset; what is no text, or an empty one, is a fault."""
        items = node.value if isinstance(node.value, list) else [node]
        if not items:
            self.fault(node.start, f"{what} may not be an empty list.")
        found = []
        for item in items:
            if isinstance(item.value, str) and not isinstance(item.value, Number) and item.value:
                found.append((item.value, item.start))
            else:
                self.fault(item.start, f"{what} must be a text or a list of texts, none of them empty.")
        return found

    # ---- elements ----

    def statements(self) -> list[Node]:
        """The nodes under Statement, once Version and Id are checked; none where the document has none."""
        if len(self.document) > MAX_CHARACTERS:
            raise MalformedPolicy(
                [Problem(1, 1, f"The document has {len(self.document):,} characters; {MAX_CHARACTERS:,} are the most.")]
            )
        try:
            root = reader.read(self.document)
        except reader.Unreadable as error:
            raise MalformedPolicy(
                [Problem(*self._lines.position(error.offset), f"This is not JSON: {error.sentence}")]
            ) from None
        members = self.members(root, "The policy", _DOCUMENT_KEYS)
        if members is None:
            return []
        version = self.text(members.get("Version"), "Version")
        if "Version" in members and version is not None and version not in VERSIONS:
            self.fault(members["Version"].start, f"Version must be 2012-10-17 or 2008-10-17, not “{shown(version)}”.")
        self.has_variables = version == VERSIONS[0]
        self.text(members.get("Id"), "Id")
        if "Statement" not in members:
            if not self.problems:  # an unknown key may be what was meant to be it
                self.fault(root.start, "The policy needs a Statement: an object or a list of at least one.")
            return []
        found = members["Statement"]
        rows = found.value if isinstance(found.value, list) else [found]
        if not rows:
            self.fault(found.start, "The policy needs at least one statement.")
        return rows

    def elements(self, node: Node, members: dict[str, Node]) -> Elements:
        """Effect, Sid and the actions of a statement."""
        found = Elements()
        effect = self.text(members.get("Effect"), "Effect")
        if effect is not None and effect not in ("Allow", "Deny"):
            at = members.get("Effect", node).start
            self.fault(at, f"A statement needs an Effect of Allow or Deny.{did_you_mean(effect, ('Allow', 'Deny'))}")
        found.allows = effect == "Allow"
        found.sid = self.text(members.get("Sid"), "Sid") or ""
        if not _SID.fullmatch(found.sid):
            self.fault(members["Sid"].start, "A Sid has letters A to Z and digits only.")
        elif found.sid in self._sids:
            self.fault(members["Sid"].start, f"Two statements have the Sid “{found.sid}”; one policy has it once.")
        elif found.sid:
            self._sids.add(found.sid)
        actions, found.not_actions = self.one_of(node, members, "Action", "NotAction")
        found.actions = tuple(self._action(text, offset) for text, offset in actions)
        return found

    def one_of(
        self, node: Node, members: dict[str, Node], name: str, negated: str
    ) -> tuple[list[tuple[str, int]], bool]:
        """The texts under whichever of two elements is there, and whether it is the negated one."""
        if (name in members) == (negated in members):
            self.fault(node.start, f"A statement needs exactly one of {name} and {negated}.")
        key = negated if negated in members else name
        return self.texts(members[key], key) if key in members else [], key == negated

    def _action(self, text: str, offset: int) -> Matcher:
        if not _ACTION.fullmatch(text):
            self.fault(offset, f"“{shown(text)}” is no action; write service:Name, such as codecommit:GitPull.")
        return patterns.matcher(patterns.read(text.lower(), variables=False).fixed_parts)

    def resources(self, node: Node, members: dict[str, Node]) -> tuple[tuple[Pattern, ...], bool]:
        """The patterns under Resource or NotResource, and whether it is the latter."""
        texts, is_negated = self.one_of(node, members, "Resource", "NotResource")
        found = []
        for text, offset in texts:
            if text != "*" and not (text.startswith("arn:") and text.count(":") >= 5):
                hint = "write an ARN (arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE) or *."
                self.fault(offset, f"“{shown(text)}” is no resource; {hint}")
                continue
            try:
                found.append(patterns.read(text, variables=self.has_variables))
            except ValueError as error:
                self.fault(offset, str(error))
        return tuple(found), is_negated

    def condition(self, members: dict[str, Node]) -> tuple[tuple[Test, ...], list[str]]:
        """The tests of a Condition element, and the keys they ask for."""
        block = members.get("Condition")
        if block is None:
            return (), []
        if not isinstance(block.value, dict):
            self.fault(block.start, "Condition must be an object of operators, each an object of keys and values.")
            return (), []
        tests: list[Test] = []
        asked: list[str] = []
        for name, operands in block.value.items():
            try:
                operator = conditions.operator(name)
            except ValueError as error:
                hint = did_you_mean(name.rpartition(":")[2].removesuffix("IfExists"), conditions.NAMES)
                self.fault(block.keys[name], f"{error}{hint}")
                continue
            if not isinstance(operands.value, dict) or not operands.value:
                self.fault(operands.start, f"{name} must be an object of condition keys and values.")
                continue
            for key, values in operands.value.items():
                if not patterns.is_condition_key(key):
                    hint = "write a service's prefix, a colon and a name, such as aws:SourceIp."
                    self.fault(operands.keys[key], f"“{shown(key)}” is no condition key; {hint}")
                test, used = self._test(operator, key, values)
                asked += [key, *used]
                tests += test
        return tuple(tests), asked

    def _test(self, operator: conditions.Operator, key: str, node: Node) -> tuple[list[Test], list[str]]:
        items = node.value if isinstance(node.value, list) else [node]
        if not items:
            self.fault(node.start, f"The values of {shown(key)} may not be an empty list: nothing would ever match.")
        values = []
        for item in items:
            if isinstance(item.value, dict | list) or item.value is None:
                self.fault(item.start, f"The values of {shown(key)} must be texts, numbers or booleans.")
                continue
            text = str(item.value).lower() if isinstance(item.value, bool) else str(item.value)
            try:
                values.append(operator.read(text, self.has_variables))
            except ValueError as error:
                self.fault(item.start, str(error))
        used = [one.name for value in values if isinstance(value, Pattern) for one in value.variables]
        return [operator.test(key, values)], used

    def statement(
        self,
        node: Node,
        members: dict[str, Node],
        number: int,
        *,
        resources: tuple[tuple[Pattern, ...], bool],
    ) -> Statement:
        """The compiled statement, of what of it has no fault."""
        elements = self.elements(node, members)
        tests, asked = self.condition(members)
        asked += [one.name for pattern in resources[0] for one in pattern.variables]
        return Statement(
            source=self.source,
            number=number,
            sid=elements.sid,
            allows=elements.allows,
            actions=elements.actions,
            not_actions=elements.not_actions,
            resources=resources[0],
            not_resources=resources[1],
            tests=tests,
            keys=tuple(dict.fromkeys(asked)),
            text=json.dumps(node.plain, ensure_ascii=False),
            start=self._lines.position(node.start),
            end=self._lines.position(node.end),
        )


def did_you_mean(text: str, names: Iterable[str]) -> str:
    """A second sentence where a text is nearly one of the names; otherwise nothing."""
    by_fold = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(text.casefold()[:80], by_fold, n=1, cutoff=0.75)
    return f" Did you mean {by_fold[close[0]]}?" if close else ""
