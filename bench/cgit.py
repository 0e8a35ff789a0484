"""The reference of reading in a browser: Debian's cgit behind nginx and fcgiwrap, without its cache.

Its pages are as long as ours (30 commits), with blame allowed, and without a highlighting filter, which would start
one more program for a file.

Source: cgitrc(5).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from bench import fastcgi

CGIT = Path("/usr/lib/cgit/cgit.cgi")
INSTALL = "sudo apt-get update && sudo apt-get install -y --no-install-recommends nginx-light fcgiwrap cgit"
COMMITS_A_PAGE = 30
NAME = "bench"

SETTINGS = """cache-size=0
virtual-root=/
max-commit-count={commits}
enable-blame=1
max-blob-size=4096
repo.url={name}
repo.path={repository}
"""
SERVER = """
location / {{
    fastcgi_pass unix:{folder}/fcgi.sock;
    fastcgi_param SCRIPT_FILENAME {cgit};
    fastcgi_param CGIT_CONFIG {folder}/cgitrc;
    fastcgi_param HTTP_HOST $http_host;
    fastcgi_param PATH_INFO $uri;
    fastcgi_param QUERY_STRING $query_string;
    fastcgi_param REQUEST_METHOD $request_method;
    fastcgi_param SERVER_NAME $host;
    fastcgi_param SERVER_PORT $server_port;
}}
"""


@dataclass(frozen=True)
class Cgit:
    """The running reference.

    Attributes:
        port: Of nginx, on the loopback address.
    """

    port: int

    def path(self, page: str, path: str = "", **query: str | int) -> str:
        """The address of one of its pages: "tree", "log", "commit", "blame", "refs"."""
        return f"/{NAME}/{page}/{quote(path)}?{urlencode(query)}"


def why_missing() -> str | None:
    """The command that would install the reference where it is not there."""
    return None if CGIT.exists() and fastcgi.why_missing() is None else INSTALL


@contextlib.contextmanager
def running(folder: Path, repository: Path) -> Iterator[Cgit]:
    """Start it for one repository; it ends with the block."""
    folder.mkdir(parents=True)
    settings = SETTINGS.format(commits=COMMITS_A_PAGE, name=NAME, repository=repository)
    (folder / "cgitrc").write_text(settings)
    with fastcgi.running(folder, SERVER.format(folder=folder, cgit=CGIT)) as (port, _):
        yield Cgit(port)
