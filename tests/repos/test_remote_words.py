"""Other people's servers as text: their addresses, their progress and complaints, patterns of refs."""

from __future__ import annotations

import pytest

from codeservices.errors import InvalidInput
from codeservices.outbound import OutboundRefused, Rules
from repos.git import patterns, remote
from repos.git.progress import Progress, ProgressReader
from repos.git.remote_errors import explained


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://localhost/x",
        "http://[::1]/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://169.254.169.254/latest/x",
        "http://10.0.0.1/x",
        "file:///etc/x",
        "ssh://git@example.com/x",
        "ext::sh -c id",
        "git://example.com/x",
        "--upload-pack=id",
        "https://ann:secret@example.com/x",
    ],
)
def test_what_leads_inwards_or_is_no_web_address_is_refused(url):
    with pytest.raises(OutboundRefused):
        remote.open_remote(url, Rules([]))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("https://example.com", "names a server, but no repository"),
        ("https://example.com///", "names a server, but no repository"),
        ("https://example.com/x?private_token=1", "neither [?] nor #"),
        ("https://example.com/x#", "neither [?] nor #"),
        ("https://example.com/a/../b", r"[.] or [.][.] in it"),
        ("https://example.com/a/%2e%2E/b", r"[.] or [.][.] in it"),
        ("https://2130706433/x", "neither a name nor an address"),
        ("https://0x7f.1/x", "neither a name nor an address"),
        ("https://127.1/x", "neither a name nor an address"),
        ("https://0177.0.0.1/x", "neither a name nor an address"),
    ],
)
def test_odd_urls_are_refused(url, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        remote.check_url(url)


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("https://Example.COM./A/b.git/", "https://example.com/A/b.git"),
        ("https://example.com:443/a", "https://example.com/a"),
        ("http://example.com:8080/a//", "http://example.com:8080/a"),
        ("https://[2001:DB8::1]:8443/a", "https://[2001:db8::1]:8443/a"),
        ("https://1.2.3.4/a", "https://1.2.3.4/a"),
    ],
)
def test_a_url_has_one_form(url, checked):
    assert remote.check_url(url) == checked


def test_progress_is_read_across_pieces_and_only_what_git_itself_says_counts():
    reader = ProgressReader()
    assert reader.feed(b"remote: Counting objects:  50% (1/2)\rremote: Countin") == Progress(
        "Counting objects", 50, 1, 2
    )
    assert reader.feed(b"g objects: 100% (2/2), done.\nremote: Receiving objects: 99% (1/1)\n").percent == 99
    assert not reader.has_received
    latest = reader.feed(b"Receiving objects:  12% (3/25), 1.50 MiB | 2.00 MiB/s\r")
    assert latest == Progress("Receiving objects", 12, 3, 25, 1536 * 1024)
    assert reader.has_received
    assert reader.feed(b"Resolving deltas: 100% (1/1)\n").received_bytes == 1536 * 1024
    assert reader.feed(b"remote: \x1b[31mhello\n") is None
    assert reader.feed(b"remote: Enumerating objects: 7, done.\n") == Progress(
        "Enumerating objects", None, 7, 0, 1536 * 1024
    )


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("fatal: unable to access 'x': SSL certificate problem: self-signed certificate", "CertificateNotTrusted"),
        ("fatal: unable to access 'x': server certificate verification failed. CAfile: none", "CertificateNotTrusted"),
        ("fatal: unable to access 'x': gnutls_handshake() failed: An unexpected TLS packet", "TlsFailed"),
        ("error: RPC failed; curl 28 Operation too slow. Less than 1 bytes/sec", "RemoteTimeout"),
        ("fatal: write error: No space left on device", "DiskFull"),
        ("fatal: early EOF\nfatal: fetch-pack: invalid index-pack output", "RemoteProtocolError"),
        ("fatal: unable to access 'x': The requested URL returned error: 503", "RemoteFailed"),
        ("fatal: something new", "RemoteFailed"),
    ],
)
def test_complaints_of_git_become_sentences(said, code):
    assert explained(said, "example.com", has_credentials=False).code == code


def test_what_a_server_says_is_shown_without_control_characters():
    said = "remote: \x1b[31mRepository \u202eis closed\nfatal: unable to access: The requested URL returned error: 403"
    assert explained(said, "example.com", has_credentials=True).hint == "It said:  [31mRepository  is closed"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("main\n\n release/* \n", ["refs/heads/main", "refs/heads/release/*"]),
        ("refs/tags/v*\nrefs/notes/commits\nmain\nmain", ["refs/tags/v*", "refs/notes/commits", "refs/heads/main"]),
    ],
)
def test_patterns_are_read_one_a_line(text, found):
    assert patterns.parse(text) == found


@pytest.mark.parametrize(
    "text", ["a b", "*/*", "-x..y", "refs/pull/*", "refs/internal/*", "refs/", "\n".join(map(str, range(51)))]
)
def test_odd_patterns_are_refused(text):
    with pytest.raises(InvalidInput):
        patterns.parse(text)


@pytest.mark.parametrize(
    ("refname", "is_matched"),
    [
        ("refs/heads/main", True),
        ("refs/heads/main2", False),
        ("refs/heads/release/1/2", True),
        ("refs/heads/release/", False),
        ("refs/tags/v1", True),
        ("refs/tags/w1", False),
    ],
)
def test_a_pattern_matches_as_a_refspec_does(refname, is_matched):
    assert patterns.matches(refname, ["refs/heads/main", "refs/heads/release/*", "refs/tags/v*"]) is is_matched
