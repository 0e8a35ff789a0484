"""The keys that messages are signed with, and the certificates that tell subscribers their public halves.

Source: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages": SignatureVersion 1 is SHA1 with
RSA, 2 is SHA256 with RSA, both PKCS #1 v1.5.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID
from django.utils import timezone

from codeservices.iam import secrets
from codeservices.notifications.models import SigningCertificate

_KEY_BITS = 2048
# A key signs for a year; its certificate is good for longer, so that what was signed last can still be verified.
SIGNS_FOR = timedelta(days=365)
_CERTIFICATE_LIFE = timedelta(days=2 * 365)
_BACKDATE = timedelta(hours=1)  # clocks of subscribers may be behind ours
_COMMON_NAME = "Code Services notifications"


def current() -> SigningCertificate:
    """The certificate to sign with now: the newest, or one made anew where there is none young enough."""
    now = timezone.now()
    found = SigningCertificate.objects.filter(created_at__gt=now - SIGNS_FOR).order_by("-created_at", "-pk").first()
    return found or _make(now)


def sign(certificate: SigningCertificate, text: bytes, signature_version: str) -> str:
    """The signature of a text in base64."""
    digest: hashes.HashAlgorithm = hashes.SHA256() if signature_version == "2" else hashes.SHA1()  # noqa: S303
    return base64.b64encode(_key(certificate.sealed_key).sign(text, padding.PKCS1v15(), digest)).decode()


def certificate_pem(name: str) -> str | None:
    """The certificate of that name, however old, as PEM text."""
    return SigningCertificate.objects.filter(name=name).values_list("certificate_pem", flat=True).first()


def _make(now: datetime) -> SigningCertificate:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _COMMON_NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + _CERTIFICATE_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return SigningCertificate.objects.create(
        name=certificate.fingerprint(hashes.SHA256()).hex()[:32],
        certificate_pem=certificate.public_bytes(Encoding.PEM).decode("ascii"),
        sealed_key=secrets.seal(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")),
        created_at=now,
    )


@lru_cache(maxsize=4)
def _key(sealed: str) -> rsa.RSAPrivateKey:
    """The private key, whose decryption and check take longer than a signature."""
    key = load_pem_private_key(secrets.unseal(sealed).encode("ascii"), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("A signing key is an RSA key.")
    return key
