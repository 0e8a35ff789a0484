from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from codeservices.errors import InvalidInput
from codeservices.iam import public_key
from tests import factories


def ssh_text(key) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def pem_text(key) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def refused(text: str) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as caught:
        public_key.parse(text)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize(("kind", "bits"), [("rsa", "2048"), ("rsa", "4096"), ("ed25519", "256")])
def test_a_key_of_ssh_keygen_has_the_fingerprint_that_ssh_keygen_shows(tmp_path: Path, kind: str, bits: str):
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-C", "me@here", "-f", tmp_path / "key"], check=True
    )
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-E", "md5", "-f", tmp_path / "key.pub"], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    text = (tmp_path / "key.pub").read_text()
    parsed = public_key.parse(text)
    assert "MD5:" + parsed.fingerprint == shown
    assert len(parsed.fingerprint) == 47
    assert text.strip() == f"{parsed.ssh} me@here"
    assert public_key.parse(parsed.pem) == parsed


def test_a_pem_key_of_openssl_is_read(tmp_path: Path):
    subprocess.run(["openssl", "genrsa", "-out", tmp_path / "key", "2048"], check=True, capture_output=True)
    pem = subprocess.run(
        ["openssl", "rsa", "-in", tmp_path / "key", "-pubout"], check=True, capture_output=True, text=True
    ).stdout
    assert public_key.parse(pem).pem == pem


def test_an_rsa_key_too_short_or_too_long_is_invalid():
    for bits in (1024, 8192):
        modulus = (1 << (bits - 1)) + 1
        key = rsa.RSAPublicNumbers(65537, modulus).public_key()
        text = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        code, message = refused(text)
        assert code == "InvalidPublicKey"
        assert message.startswith(
            f"An RSA key of {bits} bits is not taken: upload the public half of a key that is RSA"
        )


def test_other_kinds_of_keys_are_invalid():
    elliptic = ec.generate_private_key(ec.SECP256R1())
    for text in (ssh_text(elliptic), pem_text(elliptic), pem_text(dsa.generate_private_key(2048))):
        code, message = refused(text)
        assert (code, "of this type" in message or "of type ecdsa" in message) == ("InvalidPublicKey", True)
    assert refused("sk-ssh-ed25519@openssh.com AAAA")[1].startswith("Keys of type sk-ssh-ed25519@openssh.com are not")


def test_a_damaged_key_is_invalid():
    kind, encoded, _ = factories.ssh_key().split(" ")
    for text in (f"{kind} {encoded[:-8]}", f"{kind} !!!!", f"{kind} ", kind, f"ssh-rsa {encoded}"):
        assert refused(text)[0] == "InvalidPublicKey", text
    for text in ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "-----BEGIN PUBLIC KEY-----"):
        assert refused(text)[0] == "InvalidPublicKey", text


def test_two_keys_at_once_are_refused_rather_than_half_of_them_kept():
    code, message = refused(f"{factories.ssh_key()}\n{factories.ssh_key()}")
    assert (code, message.startswith("There is more than one line")) == ("InvalidPublicKey", True)


@pytest.mark.parametrize("text", ["", "hello", "AAAAB3NzaC1yc2E", "ÿÿ", "{}"])
def test_a_text_that_is_no_key_has_no_known_encoding(text: str):
    assert refused(text)[0] == "UnrecognizedPublicKeyEncoding"


def test_a_private_key_is_not_taken_for_a_public_one(tmp_path: Path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    assert refused((tmp_path / "key").read_text())[0] == "InvalidPublicKey"
