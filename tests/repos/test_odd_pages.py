"""No page fails for an odd repository: every page of the console over each of them, and the links on those pages.

The pages are read from repos/urls.py, so that a new one is looked at without being named here.
"""

from __future__ import annotations

import html
import random
import re
import resource
from collections.abc import Iterator
from urllib.parse import quote_from_bytes

import pytest

from repos import urls
from tests.repos import odd_repository
from tests.repos.doors import over_asgi
from tests.repos.odd_repository import Odd
from tests.repos.plumbing import Plumbing

# Of each shape so many of the places it names on each kind of page, and so many more that links lead to.
PLACES_A_PAGE = 3
MAX_FOLLOWED = 8
# So many of its commits are compared with the last of them.
COMPARED = 13
# Of processor time, of git's processes too; the slowest page is a first commit of 100,000 files.
MAX_SECONDS = 20
STATUSES = (200, 301, 302, 304, 400, 404, 405)
# Pages that need more than a repository, and doors that no link leads through.
_ELSEWHERE = re.compile(
    r"trigger_name|delivery_id|repository_id|delete|create|change|run|cancel|retry|settings/(?!/|mirror|upkeep)"
)
_LINK = re.compile(r'(?:href|src|action|hx-get)="([^"]*)"')
_SENTENCE = re.compile(r'class="lead">[^<]*[.”?!]\s*</p>|<strong>[^<]*[.”?!]</strong>')


def addresses(odd: Odd) -> list[bytes]:
    """Every page of a repository whose address needs no more than a name, a revision with a path, or a commit."""
    plain, inside = [], []
    chance = random.Random(1)
    for pattern in urls.urlpatterns:
        route = str(pattern.pattern).replace("(?P<name>[^/]+)", "<str:name>").strip("^$?")
        before, name, rest = route.partition("repositories/<str:name>/")
        if not name or before or _ELSEWHERE.search(route):
            continue
        page = b"/repositories/demo/" + rest.partition("<")[0].partition("(")[0].encode()
        if "spec" in rest:
            places = [quote_from_bytes(spec).encode() for spec in odd.specs]
        elif "oid" in rest:
            places = [oid.encode() for oid in odd.oids]
        else:
            plain.append(page)
            continue
        inside += [page + place for place in chance.sample(places, min(PLACES_A_PAGE, len(places)))]
    for oid in odd.oids[:COMPARED]:
        inside.append(f"/repositories/demo/compare/{odd.oids[-1]}...{oid}".encode())
    return plain + inside


def processor_seconds() -> float:
    return sum(
        resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )


def links(page: str, here: bytes) -> Iterator[bytes]:
    for found in dict.fromkeys(_LINK.findall(page)):
        link = html.unescape(found).partition("#")[0]
        if link.startswith("?"):
            link = here.partition(b"?")[0].decode() + link
        if link.startswith("/repositories/demo/") and not _ELSEWHERE.search(link):
            yield link.encode("ascii")


@pytest.mark.parametrize("shape", list(odd_repository.SHAPES))
def test_every_page_answers(alice_client, stored: Plumbing, shape: str):
    odd = odd_repository.SHAPES[shape](stored)
    waiting = addresses(odd)
    followed = set(waiting)
    most = len(waiting) + MAX_FOLLOWED
    faults = []
    for address in waiting:
        start = processor_seconds()
        try:
            status, page = over_asgi(alice_client, address)
        except Exception as error:
            faults.append(f"{address.decode()[:300]} raised {type(error).__name__}: {str(error)[:300]}")
            continue
        seconds = processor_seconds() - start
        if status not in STATUSES or seconds > MAX_SECONDS:
            faults.append(f"{address.decode()[:300]} answered {status} after {seconds:.1f} s of processor time")
        elif status in (400, 404) and not _SENTENCE.search(page):
            faults.append(f"{address.decode()[:300]} answered {status} without a sentence")
        new = [link for link in links(page, address) if link not in followed]
        chosen = random.Random(address).sample(new, min(len(new), 3, most - len(waiting)))
        followed.update(chosen)
        waiting += chosen
    assert len(waiting) > 20
    assert not faults, "\n".join(faults)
