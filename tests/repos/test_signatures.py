"""Signatures of commits: made by git and ssh-keygen themselves, and then tampered with in every way."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from codeservices.iam import ssh_keys
from codeservices.iam.models import CredentialStatus
from repos import signatures
from repos.git import log, objects
from repos.git import signatures as raw
from repos.models import Repository
from tests import factories
from tests.repos.plumbing import Plumbing


def new_key(folder: Path, name: str = "key", *options: str) -> Path:
    """A key pair as people make one; the public half lies beside it."""
    path = folder / name
    args = ["ssh-keygen", "-q", "-N", "", "-C", "", *(options or ("-t", "ed25519")), "-f", str(path)]
    subprocess.run(args, check=True)
    return path


def signed(made: Plumbing, key: Path, message: str = "Signed") -> str:
    """A commit that git has signed with an SSH key."""
    options = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={key}"]
    people = {f"GIT_{who}_{what}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    tree = made.tree({"a": message})
    return made.git(*options, "commit-tree", "-S", "-m", message, tree, **people).decode().strip()


def plain(made: Plumbing) -> bytes:
    """A commit's bytes without a signature."""
    people = b"author A <a> 1 +0000\ncommitter A <a> 1 +0000\n"
    return b"tree " + made.tree({"a": "1"}).encode() + b"\n" + people + b"\nText\n"


def sealed(made: Plumbing, signature: bytes, payload: bytes | None = None) -> str:
    """A commit with any text as its signature."""
    payload = (
        payload or b"tree %s\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nText\n" % made.tree({"a": "1"}).encode()
    )
    head, _, message = payload.partition(b"\n\n")
    return made.raw("commit", head + b"\ngpgsig " + signature.strip().replace(b"\n", b"\n ") + b"\n\n" + message)


def keygen_signature(key: Path, payload: bytes, namespace: str = "git", *options: str) -> bytes:
    args = ["ssh-keygen", "-Y", "sign", "-q", *options, "-n", namespace, "-f", str(key)]
    return subprocess.run(args, input=payload, capture_output=True, check=True).stdout


def checked(made: Plumbing, oid: str) -> bool | None:
    return raw.verify_ssh(objects.read(made.repository, oid)[1]).is_good


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_what_git_signed_is_good_and_names_its_key(made, tmp_path, kind):
    key = new_key(tmp_path, "key", "-t", kind, *(["-b", "2048"] if kind == "rsa" else []))
    found = raw.verify_ssh(objects.read(made.repository, signed(made, key))[1])
    assert found.is_good
    assert base64.b64encode(found.key).decode() == key.with_suffix(".pub").read_text().split()[1]


def test_a_key_of_another_type_is_neither_good_nor_bad(made, tmp_path):
    assert checked(made, signed(made, new_key(tmp_path, "key", "-t", "ecdsa"))) is None


def test_a_signature_over_anything_else_is_bad(made, tmp_path):
    key = new_key(tmp_path)
    whole = objects.read(made.repository, signed(made, key))[1]
    payload, [signature] = raw.split(whole)
    assert checked(made, sealed(made, signature, payload)) is True
    for changed in (
        payload.replace(b"Signed", b"signed"),
        payload.replace(b"ada@", b"eve@", 1),
        payload + b"\n",
        payload.replace(b"committer", b"parent " + b"1" * 40 + b"\ncommitter", 1),
    ):
        assert checked(made, sealed(made, signature, changed)) is False
    other = keygen_signature(new_key(tmp_path, "other"), payload)
    body = b"".join(other.strip().split(b"\n")[1:-1])
    swapped = base64.b64decode(body).replace(key_blob(tmp_path / "other"), key_blob(key))
    assert checked(made, sealed(made, armored(swapped), payload)) is False


def key_blob(key: Path) -> bytes:
    return base64.b64decode(key.with_suffix(".pub").read_text().split()[1])


def armored(body: bytes) -> bytes:
    return b"-----BEGIN SSH SIGNATURE-----\n" + base64.b64encode(body) + b"\n-----END SSH SIGNATURE-----"


def test_a_signature_for_another_purpose_is_bad(made, tmp_path):
    key = new_key(tmp_path)
    payload, _ = raw.split(objects.read(made.repository, signed(made, key))[1])
    assert checked(made, sealed(made, keygen_signature(key, payload), payload)) is True
    assert checked(made, sealed(made, keygen_signature(key, payload, "git", "-O", "hashalg=sha256"), payload)) is True
    for namespace in ("file", "email", "git2"):
        assert checked(made, sealed(made, keygen_signature(key, payload, namespace), payload)) is False


def test_rsa_with_sha1_is_bad(made):
    key = rsa.generate_private_key(65537, 2048)
    blob = base64.b64decode(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])
    payload = plain(made)
    digest = hashlib.sha512(payload).digest()
    to_sign = b"SSHSIG" + b"".join(raw._string(one) for one in (b"git", b"", b"sha512", digest))
    made_by_sha1 = raw._string(b"ssh-rsa") + raw._string(key.sign(to_sign, padding.PKCS1v15(), SHA1()))
    body = b"SSHSIG\0\0\0\1" + b"".join(raw._string(one) for one in (blob, b"git", b"", b"sha512", made_by_sha1))
    assert checked(made, sealed(made, armored(body), payload)) is False


@pytest.mark.parametrize(
    "signature",
    [
        b"-----BEGIN SSH SIGNATURE-----",
        b"-----BEGIN SSH SIGNATURE-----\n\n-----END SSH SIGNATURE-----",
        b"-----BEGIN SSH SIGNATURE-----\n!!!\n-----END SSH SIGNATURE-----",
        armored(b"SSHSIG\0\0\0\2rest"),
        armored(b"SSHSIG\0\0\0\1\xff\xff\xff\xff"),
        armored(b"SSHSIG\0\0\0\1" + b"\0\0\0\0" * 5),
        armored(b"SSHSIG\0\0\0\1" + b"x" * 100_000),
    ],
    ids=["cut", "empty", "not-base64", "version-2", "length-beyond", "empty-strings", "huge"],
)
def test_what_is_no_signature_is_bad(made, signature):
    assert checked(made, sealed(made, signature)) is False


def test_two_signatures_are_bad_and_those_for_sha256_are_left_out_as_git_does(made, tmp_path):
    key = new_key(tmp_path)
    whole = objects.read(made.repository, signed(made, key))[1]
    head, _, message = whole.partition(b"\n\n")
    _, [signature] = raw.split(whole)
    header = b" " + signature.replace(b"\n", b"\n ")
    assert checked(made, made.raw("commit", head + b"\ngpgsig" + header + b"\n\n" + message)) is False
    assert checked(made, made.raw("commit", head + b"\ngpgsig-sha256" + header + b"\n\n" + message)) is True


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (b"-----BEGIN PGP SIGNATURE-----", "GPG"),
        (b"-----BEGIN SSH SIGNATURE-----", "SSH"),
        (b"-----BEGIN SIGNED MESSAGE-----", "X.509"),
        (b"hello", "unknown"),
    ],
    ids=["gpg", "ssh", "x509", "unknown"],
)
def test_kinds_are_told_from_each_other(made, first, kind):
    assert log.commit(made.repository, sealed(made, first + b"\n\nabc\n-----END-----")).signature_kind == kind


@pytest.fixture
def repository(db) -> Repository:
    return factories.repository("demo")


def told(repository: Repository, oid: str) -> tuple[str, str]:
    with repository.git as git:
        found = signatures.of_commits(repository, [log.commit(git, oid)])
    return (found[oid].state, found[oid].word) if found else ("", "")


def test_a_signature_is_verified_only_while_one_active_user_has_the_key_active(repository, tmp_path):
    made, key = Plumbing(repository.git.path), new_key(tmp_path)
    oid = signed(made, key)
    unknown = ("signed", "Signed, key unknown")
    assert told(repository, oid) == unknown
    dora = factories.user("dora")
    row = ssh_keys.upload(factories.SERVICE, "dora", key.with_suffix(".pub").read_text())
    assert told(repository, oid) == ("verified", "Verified: dora")
    row.status = CredentialStatus.INACTIVE
    row.save()
    assert told(repository, oid) == unknown
    row.status = CredentialStatus.ACTIVE
    row.save()
    dora.is_active = False
    dora.save()
    assert told(repository, oid) == unknown
    dora.is_active = True
    dora.save()
    factories.user("mallory")
    ssh_keys.upload(factories.SERVICE, "mallory", key.with_suffix(".pub").read_text())
    assert told(repository, oid) == ("signed", "Signed, key ambiguous")
    row.delete()
    assert told(repository, oid) == ("verified", "Verified: mallory")


def test_an_uploaded_pem_key_verifies_too_and_a_shared_md5_does_not(repository, tmp_path):
    made, key = Plumbing(repository.git.path), new_key(tmp_path, "key", "-t", "rsa", "-b", "2048")
    oid = signed(made, key)
    factories.user("dora")
    public = key.with_suffix(".pub")
    pem = subprocess.run(["ssh-keygen", "-e", "-m", "PKCS8", "-f", public], capture_output=True, check=True).stdout
    row = ssh_keys.upload(factories.SERVICE, "dora", pem.decode())
    assert told(repository, oid) == ("verified", "Verified: dora")
    row.body = new_key(tmp_path, "other").with_suffix(".pub").read_text()  # under the same fingerprint
    row.save()
    assert told(repository, oid) == ("signed", "Signed, key unknown")


def test_bad_unverifiable_and_absent_signatures_are_told_apart(repository, tmp_path):
    made = Plumbing(repository.git.path)
    assert told(repository, sealed(made, armored(b"nonsense"))) == ("bad", "Bad signature")
    assert told(repository, sealed(made, b"-----BEGIN PGP SIGNATURE-----\n\nabc")) == ("signed", "Signed (GPG)")
    assert told(repository, sealed(made, b"hello")) == ("signed", "Signed")
    ecdsa = new_key(tmp_path, "key", "-t", "ecdsa")
    assert told(repository, signed(made, ecdsa)) == ("signed", "Signed, not verified")
    assert told(repository, made.commit({"a": "1"})) == ("", "")


def test_a_signature_of_many_lines_is_bad_at_once():
    head = b"tree " + b"1" * 40 + b"\ngpgsig -----BEGIN SSH SIGNATURE-----\n"
    payload, found = raw.split(head + b" \n" * 300_000 + b"\nm\n")
    assert payload.endswith(b"1\n\nm\n")
    assert [len(one) for one in found] == [len(b"-----BEGIN SSH SIGNATURE-----") + 300_000]
