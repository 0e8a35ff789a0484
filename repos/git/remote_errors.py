"""Why another server's repository could not be read: git's complaint as a sentence for whoever gave the URL."""

from __future__ import annotations

import re

from codeservices.errors import ServiceError
from repos.git.progress import PROGRESS

# What may be wrong in the lines of author, committer and tagger without harm to anybody: old tools wrote such.
IDENTITY_DEFECTS = (
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badName",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeEmail",
    "missingTaggerEntry",
    "multipleAuthors",
    "zeroPaddedDate",
)
# How long a server may send nothing. One that counts objects sends a few bytes every five seconds.
STALL_SECONDS = 60
MAX_TOLD_LINES = 5
MAX_TOLD_CHARACTERS = 200
_STATUS = re.compile(r"returned error: (\d{3})")
_DEFECT = re.compile(r"object ([0-9a-f]{40}): ([A-Za-z]+): (.*)")
# In the order of looking: the words of git and of what it wraps, a code, a sentence, and a hint.
_SENTENCES = (
    (
        r"certificate verif|SSL certificate|self.signed|unable to get local issuer|issuer is not|CAfile",
        "CertificateNotTrusted",
        "The certificate of {host} is not trusted here.",
        "An administrator can name further authorities with CODESERVICES_OUTBOUND_CA_BUNDLE.",
    ),
    (
        r"[Tt]imed out|Operation too slow|[Tt]imeout",
        "RemoteTimeout",
        "{host} sent nothing for {seconds} seconds, or could not be reached in time.",
        "",
    ),
    (
        r"Could not resolve host|Couldn't connect|Failed to connect|Connection refused|No route|unreachable",
        "RemoteUnreachable",
        "No connection to {host} could be made.",
        "",
    ),
    (r"gnutls_handshake|SSL_connect|SSL connection|TLS|tls", "TlsFailed", "{host} did not speak TLS on this port.", ""),
    (
        r"protocol error|bad line length|invalid server response|not valid: |unexpected|bad band|hung up|early EOF"
        r"|Empty reply|invalid index-pack|reset by peer|transfer closed|RPC failed|bad pack|pack has|pack signature"
        r"|length header|expected (response|flush)|Could not read from remote"
        r"|did not receive expected object|missing necessary objects|remote did not send all",
        "RemoteProtocolError",
        "{host} broke off, or sent something that is no git repository.",
        "",
    ),
    (
        r"No space left",
        "DiskFull",
        "The disk of this server is full.",
        "An administrator has to make room.",
    ),
)


class RemoteError(ServiceError):
    """Another server's repository can't be read; the message says why in words for whoever gave the URL."""

    code = "RemoteFailed"


def explained(said: str, host: str, *, has_credentials: bool) -> RemoteError:
    """The error that git's stderr tells of, without secrets; a redirect has the code RemoteMoved."""
    status = _STATUS.search(said)
    number = int(status[1]) if status else 0
    if "could not read Username" in said or number in (401, 403):
        return _unauthenticated(said, host, number, has_credentials)
    if 300 <= number < 400:
        sentence = f"{host} sends on to another address, which is not followed."
        return RemoteError(sentence, code="RemoteMoved", hint="Give the URL that the repository has now.")
    if number == 404 or "' not found" in said:
        hint = "A private repository may look the same: check the credentials as well as the URL."
        return RemoteError(f"{host} has no repository at this URL.", code="RemoteNotFound", hint=_told(said, hint))
    if number:
        return RemoteError(f"{host} answered with status {number}.", hint=_told(said))
    if defect := _DEFECT.search(said):
        return _refused_object(*defect.groups())
    for words, code, sentence, hint in _SENTENCES:
        if re.search(words, said):
            return RemoteError(sentence.format(host=host, seconds=STALL_SECONDS), code=code, hint=_told(said, hint))
    return RemoteError(f"The fetch from {host} failed.", hint=_told(said) or "Git said nothing of why.")


def _unauthenticated(said: str, host: str, status: int, has_credentials: bool) -> RemoteError:
    if status == 403:
        sentence = f"{host} refused access to this repository."
    elif has_credentials:
        sentence = f"{host} did not accept this user name and password or token."
    else:
        sentence = f"{host} asks for a user name and a password or token."
    return RemoteError(sentence, code="AuthenticationFailed", hint=_told(said))


def _refused_object(oid: str, kind: str, words: str) -> RemoteError:
    if kind in IDENTITY_DEFECTS:
        hint = "Old tools wrote such lines of author and date. Try again with such lines tolerated to take it as it is."
    else:
        hint = "It could harm those who clone it: repair the history where it is, for example with git filter-repo."
    sentence = f"Object {oid} has a defect ({kind}: {_plain(words)}), so nothing was taken."
    return RemoteError(sentence, code="ObjectsRefused", hint=hint)


def _told(said: str, hint: str = "") -> str:
    """A hint, with what the other server itself said for people behind it."""
    lines = [_plain(line.removeprefix("remote:").strip()) for line in said.splitlines() if line.startswith("remote:")]
    lines = [line for line in lines if line and not PROGRESS.match(line)][:MAX_TOLD_LINES]
    words = f"It said: {' '.join(lines)}" if lines else ""
    return " ".join(filter(None, (hint, words)))


def _plain(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text)[:MAX_TOLD_CHARACTERS]
