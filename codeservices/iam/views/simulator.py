"""The policy simulator: may this user, group or role do that, and which statement decides?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from codeservices.errors import InvalidInput
from codeservices.http import ConsoleRequest
from codeservices.iam import policy, simulate
from codeservices.iam.actions import known_actions
from codeservices.iam.authorize import is_allowed
from codeservices.iam.models import Group, InlinePolicy, Policy, Role, User
from codeservices.iam.policy.model import distinct_keys
from codeservices.iam.simulate import ContextEntry, Result
from codeservices.iam.views import documents
from codeservices.iam.views.permissions import KINDS
from codeservices.iam.views.shared import may_open

MAX_QUESTIONS = 400  # actions times resources: a page that is read by people
MAX_NAMES = 2000
# Offered in any case: what people limit most.
_USUAL_KEYS = ("codecommit:References", "aws:SourceIp", "aws:CurrentTime", "aws:MultiFactorAuthPresent")
_HINTS = {
    "codecommit:references": "refs/heads/main",
    "aws:sourceip": "203.0.113.7",
    "aws:currenttime": "2030-01-01T12:00:00Z",
    "aws:multifactorauthpresent": "true or false",
    "aws:securetransport": "true or false",
}


@dataclass(frozen=True)
class Source:
    """One document that counts: what decisions call it, what people call it, where its page is."""

    key: str
    title: str
    url: str
    document: str


@dataclass(frozen=True)
class Question:
    """What is asked: of whom (a kind and a name, or a document), which actions on which resources, with which keys."""

    kind: str
    name: str
    document: str
    actions: list[str]
    resources: list[str]
    keys: list[tuple[str, str]]

    @property
    def entries(self) -> list[ContextEntry]:
        """The condition keys; one that is given several times has all the values."""
        found: dict[str, list[str]] = {}
        for key, value in self.keys:
            found.setdefault(key, []).append(value)
        return [
            ContextEntry(key, tuple(values), "string" if len(values) == 1 else "stringList")
            for key, values in found.items()
        ]


@dataclass(frozen=True)
class Answer:
    """One line of the result: what was decided about an action on a resource, and the document that decided it."""

    result: Result
    source: Source | None


@require_http_methods(["GET", "POST"])
def simulator(request: ConsoleRequest) -> HttpResponse:
    """Ask the policy engine; nothing is done. A POST asks about a document that is too long for an address."""
    asked = _question(request.POST if request.method == "POST" else request.GET)
    context: dict[str, Any] = {}
    sources: list[Source] = []
    problem = ""
    if asked.name or asked.document:
        try:
            context, sources = _simulate(request, asked)
        except InvalidInput as error:
            problem = error.message
    else:
        may_open(request, "iam:SimulatePrincipalPolicy", request.principal.arn)
    known = known_actions()
    all_known = {f"{service}:{name}" for service, names in known.items() for name in names}
    context |= {
        "asked": asked,
        "who": f"{asked.kind}/{asked.name}" if asked.name else f"user/{request.principal.name}",
        "problem": problem,
        "known": known.items(),
        "ticked": set(asked.actions) & all_known,
        "other_actions": " ".join(each for each in asked.actions if each not in all_known),
        "resources_text": "\n".join(asked.resources),
        "key_rows": _key_rows(asked, sources),
        "names": _names(request),
    }
    return render(request, "codeservices/simulator.html", context, status=400 if problem else 200)


def _question(sent: QueryDict) -> Question:
    """The form as it was sent, or the address of a link: `?user=NAME&action=…&resource=…`."""
    document = sent.get("document", "").strip()
    kind, name = _who(sent)
    pairs = zip(sent.getlist("context_key"), sent.getlist("context_value"), strict=False)
    return Question(
        kind=kind,
        name="" if document else name,
        document=document,
        actions=_words(sent.getlist("action")),
        resources=_words(sent.getlist("resource")) or ["*"],
        keys=[(key.strip(), value.strip()) for key, value in pairs if key.strip() and value.strip()],
    )


def _who(sent: QueryDict) -> tuple[str, str]:
    """Kind and name of whom the question is about; a name alone is a user's."""
    kind, slash, name = sent.get("principal", "").strip().partition("/")
    if kind:
        return (kind, name) if slash else ("user", kind)
    return next(((one, sent.get(one, "").strip()) for one in KINDS if sent.get(one)), ("user", ""))


def _words(texts: list[str]) -> list[str]:
    """What stands between blanks and commas, each once."""
    return list(dict.fromkeys(word for word in re.split(r"[\s,]+", " ".join(texts)) if word))


def _simulate(request: ConsoleRequest, asked: Question) -> tuple[dict[str, Any], list[Source]]:
    """The answers to a question, authorized; raises InvalidInput where it makes no sense."""
    if len(asked.actions) * len(asked.resources) > MAX_QUESTIONS:
        raise InvalidInput(
            f"{len(asked.actions)} actions on {len(asked.resources)} resources are more than {MAX_QUESTIONS} questions "
            "at once. Tick fewer."
        )
    identity: User | Group | Role | None = None
    if asked.document:
        sources = [Source("PolicyInputList.1", "the document", "", asked.document)]
        simulation = simulate.simulate_custom(
            request.principal, [asked.document], asked.actions, asked.resources, asked.entries
        )
    else:
        if asked.kind not in KINDS:
            raise InvalidInput(f"“{asked.kind}/{asked.name}” is nobody: write user/NAME, group/NAME or role/NAME.")
        identity = KINDS[asked.kind].fetch(request.principal, "iam:SimulatePrincipalPolicy", asked.name)
        assert identity is not None
        sources = sources_of(identity)
        simulation = simulate.simulate_principal(
            request.principal, identity.arn, asked.actions, asked.resources, asked.entries
        )
    by_key = {source.key: source for source in sources}
    results = [simulation.result(action, resource) for action, resource in simulation.cases]
    found = [Answer(result, by_key.get(result.decision.source)) for result in results]
    context = {
        "identity": identity,
        "answers": found,
        "is_locked_out": isinstance(identity, User) and not identity.is_active,
        "deciding": _deciding(found),
        "allowed_count": sum(answer.result.decision.is_allowed for answer in found),
    }
    return context, sources


def _deciding(answers: Iterable[Answer]) -> list[dict[str, Any]]:
    """Each statement that decided anything, once, with its document in which it is marked."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for answer in answers:
        if answer.source is not None:
            decision = answer.result.decision
            place = (answer.source.key, decision.number)
            found.setdefault(
                place,
                {
                    "source": answer.source,
                    "number": decision.number,
                    "allows": decision.is_allowed,
                    "lines": documents.lines(answer.source.document, decision.number),
                    "anchor": f"statement-{len(found) + 1}",
                },
            )
    return list(found.values())


def sources_of(identity: User | Group | Role) -> list[Source]:
    """Every document that counts for an identity; none for a user who is locked out."""
    if isinstance(identity, User) and not identity.is_active:
        return []
    carriers: list[User | Group | Role] = [identity, *(identity.groups.all() if isinstance(identity, User) else ())]
    managed: dict[int, Policy] = {}
    inline: list[InlinePolicy] = []
    for carrier in carriers:
        managed |= {row.pk: row for row in carrier.policies.all()}
        inline += carrier.inline_policies.all()
    found = [Source(row.arn, row.name, _policy_url(row), row.document) for row in managed.values()]
    return found + [Source(row.source, f"inline policy {row.source}", _inline_url(row), row.document) for row in inline]


def _policy_url(row: Policy) -> str:
    return reverse("iam:policy_aws" if row.is_aws_managed else "iam:policy_customer", args=[row.name])


def _inline_url(row: InlinePolicy) -> str:
    kind = row.source.partition("/")[0]
    return reverse(f"iam:{kind}_inline", args=[row.owner.name, row.name])


def _key_rows(asked: Question, sources: list[Source]) -> list[tuple[str, str, str]]:
    """Rows for condition keys: those given, then those that the policies ask for. Each with an example of a value."""
    rows = list(asked.keys)
    given = {key.lower() for key, _ in rows}
    for key in (*_asked_keys(sources), *_USUAL_KEYS):
        if key.lower() not in given:
            given.add(key.lower())
            rows.append((key, ""))
    return [(key, value, _HINTS.get(key.lower(), "")) for key, value in rows] + [("", "", "")]


def _asked_keys(sources: list[Source]) -> list[str]:
    """The condition keys that documents ask for, in conditions and variables."""
    compiled = [policy.compiled(source.document, source.key) for source in sources]
    found = distinct_keys([statement for one in compiled for statement in one.statements])
    return [key for key in found if key.lower() not in ("aws:username", "aws:userid")]


def _names(request: ConsoleRequest) -> list[str]:
    """Whom one could ask about, as user/NAME, among what the person may list."""
    found: list[str] = []
    for kind, model in (("user", User), ("group", Group), ("role", Role)):
        if is_allowed(request.principal, f"iam:List{KINDS[kind].name}s", "*"):
            found += [f"{kind}/{name}" for name in model._default_manager.values_list("name", flat=True)[:MAX_NAMES]]
    return found
