"""Signatures: AWS's vectors, botocore's own signer as the oracle, and every way a signature can be wrong."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from codeservices.aws import sigv4
from codeservices.aws.sigv4 import SignatureError, SignedRequest

KEY_ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = datetime(2017, 9, 1, 12, 34, 56, tzinfo=UTC)
STAMP = "20170901T123456Z"
JSON_BODY = b'{"repositoryName": "MyDemoRepo"}'
QUERY_BODY = b"Action=GetUser&Version=2010-05-08&UserName=alice"


def signed(
    *,
    body: bytes = JSON_BODY,
    service: str = "codecommit",
    signature: str = "dd7747add5339dfb99a84a3b964706c949eda7e851df3dae68424a55c43255d7",
    names: str = "content-type;host;x-amz-date;x-amz-target",
    date: str = "20170901",
    more: tuple[tuple[str, str], ...] = (),
) -> SignedRequest:
    """The GetRepository request of the vector, or one that differs from it."""
    headers = (
        ("Host", "127.0.0.1:8000"),
        ("X-Amz-Target", "CodeCommit_20150413.GetRepository"),
        ("Content-Type", "application/x-amz-json-1.1"),
        ("X-Amz-Date", STAMP),
        (
            "Authorization",
            f"AWS4-HMAC-SHA256 Credential={KEY_ID}/{date}/us-east-1/{service}/aws4_request, "
            f"SignedHeaders={names}, Signature={signature}",
        ),
    )
    return SignedRequest("POST", "/", "", headers + more, body)


def verify(
    request: SignedRequest, *, secret: str = SECRET, service: str = "codecommit", now: datetime = NOW
) -> sigv4.Signature:
    claim = sigv4.parse(request)
    sigv4.verify(request, claim, secret=secret, service=service, now=now)
    return claim


def refusal(request: SignedRequest, **options) -> tuple[str, str]:
    with pytest.raises(SignatureError) as caught:
        verify(request, **options)
    return caught.value.code, caught.value.message


def by_botocore(
    signer: type = SigV4Auth,
    *,
    method: str = "POST",
    url: str = "https://host.example:8443/",
    body: bytes = b"{}",
    headers: dict[str, str] | None = None,
    service: str = "codecommit",
    token: str | None = None,
    **options,
) -> SignedRequest:
    """A request signed by botocore as it would go over the wire; its time is now."""
    request = AWSRequest(method, url, headers={"Host": urlsplit(url).netloc, **(headers or {})}, data=body)
    signer(Credentials(KEY_ID, SECRET, token), service, "eu-west-1", **options).add_auth(request)
    parts = urlsplit(request.url)
    return SignedRequest(method, parts.path, parts.query, tuple(request.headers.items()), body)


def test_the_json_vector_is_accepted():
    claim = verify(signed())
    assert (claim.access_key_id, claim.region, claim.service) == (KEY_ID, "us-east-1", "codecommit")


def test_the_canonical_request_of_the_vector_has_the_known_hash():
    request = signed()
    payload_hash = hashlib.sha256(JSON_BODY).hexdigest()
    assert payload_hash == "6b1c7d26ddea3c1b5de1d96eddb64f208cd9a2c09dc812b8555bd445fb187e54"
    canonical = sigv4.canonical_request(request, sigv4.parse(request), payload_hash)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    assert digest == "dd56639880826e18cac765089837843a08413d5d066c50722fc4a2b737de03d0"


def test_the_query_vector_is_accepted():
    headers = (
        ("host", "127.0.0.1:8000"),
        ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        ("x-amz-date", STAMP),
        (
            "authorization",
            f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20170901/us-east-1/iam/aws4_request,"
            "SignedHeaders=content-type;host;x-amz-date,"
            "Signature=63a17a0e12e19cce2dea21d7614516e4054dd36981bf462207efc9a4a138f3ce",
        ),
    )
    verify(SignedRequest("POST", "/", "", headers, QUERY_BODY), service="iam")


@pytest.mark.parametrize(
    "target",
    ["/", "/?b=2&a=1&a=0&empty=", "/a/../b//c/?x=%C3%A4%20y&z=1%2F2", "/with%20space/~tilde"],
)
def test_what_botocore_signs_is_accepted_whatever_the_url(target):
    request = by_botocore(url=f"https://host.example:8443{target}", body=b"x")
    verify(request, now=datetime.now(UTC))


def test_headers_are_trimmed_collapsed_and_joined_as_botocore_does():
    request = by_botocore(headers={"X-Amz-Meta-One": "  a   b  ", "Content-Type": "text/plain"})
    verify(request, now=datetime.now(UTC))


def test_a_session_token_is_read_and_must_be_signed():
    request = by_botocore(token="FAKE/TOKEN+EXAMPLE==")
    assert verify(request, now=datetime.now(UTC)).session_token == "FAKE/TOKEN+EXAMPLE=="


def test_a_presigned_query_is_accepted_until_it_expires():
    url = "https://host.example/?Action=GetCallerIdentity&Version=2011-06-15"
    request = by_botocore(SigV4QueryAuth, method="GET", url=url, body=b"", service="sts", expires=60, token="TOK")
    now = datetime.now(UTC)
    claim = verify(request, service="sts", now=now + timedelta(seconds=30))
    assert (claim.session_token, claim.is_presigned) == ("TOK", True)
    code, message = refusal(request, service="sts", now=now + timedelta(seconds=90))
    assert code == "InvalidSignatureException"
    assert message.startswith("Signature expired: ")


@pytest.mark.parametrize("expires", ["0", "-1", "604801", "604800999999999", "1e3", "٣"])
def test_a_presigned_query_lives_a_week_at_most(expires: str):
    url = "https://host.example/?Action=GetCallerIdentity&Version=2011-06-15"
    request = by_botocore(SigV4QueryAuth, method="GET", url=url, body=b"", service="sts", expires=60, token="TOK")
    wrong = replace(request, query=request.query.replace("X-Amz-Expires=60", f"X-Amz-Expires={expires}"))
    assert refusal(wrong, service="sts", now=datetime.now(UTC))[0] == "IncompleteSignatureException"


@pytest.mark.parametrize("region", ["us%00east", "r" * 65, "us%0Aeast"])
def test_a_region_is_a_short_word(region: str):
    url = "https://host.example/?Action=GetCallerIdentity&Version=2011-06-15"
    request = by_botocore(SigV4QueryAuth, method="GET", url=url, body=b"", service="sts", expires=60)
    wrong = replace(request, query=re.sub(r"%2F[a-z0-9-]+%2Fsts%2F", f"%2F{region}%2Fsts%2F", request.query))
    assert wrong != request
    assert refusal(wrong, service="sts", now=datetime.now(UTC))[0] == "IncompleteSignatureException"


def test_object_storage_alone_may_leave_the_body_unsigned():
    url = "https://host.example/bucket/a//b/../c%20d?x=1"
    request = by_botocore(S3SigV4QueryAuth, method="PUT", url=url, body=b"", service="s3", expires=60)
    with_body = SignedRequest(request.method, request.path, request.query, request.headers, b"any bytes")
    verify(with_body, service="s3", now=datetime.now(UTC))
    stated = signed(
        more=(("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"),),
        names="content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target",
    )
    assert refusal(stated)[1].startswith("The value of the header x-amz-content-sha256")


def test_a_stated_body_hash_must_be_the_bodys():
    headers = {"X-Amz-Content-SHA256": hashlib.sha256(b"{}").hexdigest()}
    request = by_botocore(headers=headers, body=b"{}")
    verify(request, now=datetime.now(UTC))
    tampered = SignedRequest(request.method, request.path, request.query, request.headers, b"{ }")
    assert refusal(tampered, now=datetime.now(UTC))[1].startswith("The value of the header x-amz-content-sha256")


def test_a_wrong_secret_and_a_tampered_body_are_the_same_mismatch():
    mismatch = (
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details.",
    )
    assert refusal(signed(), secret="other") == mismatch
    assert refusal(signed(body=JSON_BODY + b" ")) == mismatch
    assert refusal(signed(signature="0" * 64)) == mismatch
    assert refusal(signed(signature="zz")) == mismatch


@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_clock_fourteen_minutes_off_is_fine(minutes):
    verify(signed(), now=NOW + timedelta(minutes=minutes))


def test_a_late_signature_says_when_it_expired():
    assert refusal(signed(), now=NOW + timedelta(minutes=15, seconds=1)) == (
        "InvalidSignatureException",
        "Signature expired: 20170901T123456Z is now earlier than 20170901T123457Z (20170901T124957Z - 15 min.)",
    )


def test_an_early_signature_says_when_it_begins():
    assert refusal(signed(), now=NOW - timedelta(minutes=16)) == (
        "InvalidSignatureException",
        "Signature not yet current: 20170901T123456Z is still later than 20170901T123356Z (20170901T121856Z + 15 min.)",
    )


def test_every_amz_header_and_the_host_must_be_signed():
    extra = signed(more=(("X-Amz-Security-Token", "smuggled"),))
    assert refusal(extra) == (
        "InvalidSignatureException",
        "There were headers present in the request which were not signed: x-amz-security-token",
    )
    without_host = signed(names="content-type;x-amz-date;x-amz-target")
    assert "'Host'" in refusal(without_host)[1]
    absent = signed(names="content-type;host;if-match;x-amz-date;x-amz-target")
    assert refusal(absent)[1].endswith("if-match")


def test_scope_must_name_the_service_and_the_day():
    assert refusal(signed(), service="codebuild")[1] == "Credential should be scoped to correct service: 'codebuild'."
    assert refusal(signed(date="20170902"))[1] == (
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        "'20170902' != '20170901', from '20170901T123456Z'."
    )


def test_an_unsigned_request_has_a_code_of_its_own():
    bare = SignedRequest("POST", "/", "", (("Host", "h"),), b"")
    assert refusal(bare) == ("MissingAuthenticationTokenException", "Missing Authentication Token")


@pytest.mark.parametrize(
    ("authorization", "sentence"),
    [
        ("Basic dXNlcjpwYXNz", "Unsupported AWS 'algorithm'"),
        ("AWS4-HMAC-SHA256 Credential=a/20170901/r/s/aws4_request", "requires 'Signature' parameter"),
        ("AWS4-HMAC-SHA256 nonsense", "missing equal-sign"),
        (f"AWS4-HMAC-SHA256 Credential=é/20170901/r/s/aws4_request, SignedHeaders=a, Signature={'0' * 64}", "key id"),
        ("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=" + "0" * 64, "exactly 5 slash-delimited"),
        (
            "AWS4-HMAC-SHA256 Credential=a/20170901/r/s/aws4_request, SignedHeaders=host;Date, Signature=" + "0" * 64,
            "SignedHeaders must list",
        ),
    ],
)
def test_a_malformed_authorization_is_incomplete(authorization, sentence):
    request = SignedRequest("POST", "/", "", (("Authorization", authorization), ("X-Amz-Date", STAMP)), b"")
    code, message = refusal(request)
    assert code == "IncompleteSignatureException"
    assert sentence in message


@pytest.mark.parametrize("stamp", ["20170901", "20171301T000000Z", "yesterday", "٢٠١٧٠٩٠١T123456Z"])
def test_a_date_that_is_none_is_incomplete(stamp):
    authorization = f"AWS4-HMAC-SHA256 Credential=a/20170901/r/s/aws4_request, SignedHeaders=host, Signature={'0' * 64}"
    request = SignedRequest("POST", "/", "", (("Authorization", authorization), ("X-Amz-Date", stamp)), b"")
    assert refusal(request)[0] == "IncompleteSignatureException"
