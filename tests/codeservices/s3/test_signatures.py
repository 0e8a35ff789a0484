"""What a signature, in headers or in a URL, lets its bearer do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from codeservices.iam.models import User
from tests.codeservices.s3.clients import body, client_of, get, refused


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_url_lets_its_bearer_do_one_thing(s3: Any, alice: User, live_server_url: str, version: str) -> None:
    alice.access_keys.all().delete()
    client = client_of(alice, live_server_url, signature_version=version)
    here = {"Bucket": "bucket", "Key": "a b/ü"}
    put = client.generate_presigned_url("put_object", here, ExpiresIn=60)
    assert get(put, method="PUT", data=b"hello", **{"content-type": ""})[0] == 200
    url = client.generate_presigned_url("get_object", {**here, "ResponseContentType": "text/plain"}, ExpiresIn=60)
    status, content, headers = get(url)
    assert (status, content, headers["content-type"]) == (200, b"hello", "text/plain")
    assert get(url, method="DELETE")[0] == 403
    assert get(url.replace("/bucket/a", "/bucket/b"))[0] == 403
    assert get(url.replace("text%2Fplain", "text%2Fhtml"))[0] == 403
    client.close()


def signed_in_the_old_way(client: Any, method: str, path: str, signed: str, query: str) -> str:
    """A presigned URL of signature version 2.

    Args:
        signed: What is signed after the expiry: header lines, and the path with its own parameters.
        query: The parameters as they are sent, each percent-encoded.
    """
    secret, key_id = client._request_signer._credentials.secret_key, client._request_signer._credentials.access_key
    expires = int(time.time()) + 600
    text = f"{method}\n\n\n{expires}\n{signed}"
    signature = quote(base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")), safe="")
    own = f"AWSAccessKeyId={key_id}&Expires={expires}&Signature={signature}"
    return f"{client.meta.endpoint_url}{path}?{own}&{query}"


@pytest.mark.parametrize(
    ("signed", "query"),
    [
        ("x-amz-meta-a:1\r\nset-cookie: a=b\n/bucket/k", "x-amz-meta-a=1%0D%0Aset-cookie%3A%20a%3Db"),
        ("x-amz-meta-a\r\nset-cookie:1\n/bucket/k", "x-amz-meta-a%0D%0Aset-cookie=1"),
        # Signed for a copy, for a part: not to be read as the upload of an object.
        ("x-amz-copy-source:/bucket/a:b\n/bucket/k", "x-amz-copy-source%3A/bucket/a=b"),
        ("/bucket/k?partNumber=1&uploadId=0", "partNumber=1%26uploadId%3D0"),
    ],
)
def test_what_an_old_signature_covers_can_be_read_in_one_way(s3: Any, signed: str, query: str) -> None:
    url = signed_in_the_old_way(s3, "PUT", "/bucket/k", signed, query)
    status, _, headers = get(url, method="PUT", data=b"x", **{"content-type": ""})
    assert status == 400 and "set-cookie" not in headers
    assert refused(s3.head_object, Bucket="bucket", Key="k")[1] == 404


def test_a_presigned_copy_is_no_upload(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="from", Body=b"content")
    url = signed_in_the_old_way(
        s3, "PUT", "/bucket/to", "x-amz-copy-source:/bucket/from\n/bucket/to", "x-amz-copy-source=/bucket/from"
    )
    assert get(url, method="PUT", data=b"", **{"content-type": ""})[0] == 200
    assert body(s3.get_object(Bucket="bucket", Key="to")) == b"content"


def test_headers_in_a_presigned_query_count(s3: Any) -> None:
    """As clients that move headers into the query sign them."""
    wrong = base64.b64encode(hashlib.sha256(b"another").digest()).decode()
    right = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    for value, status in ((wrong, 400), (right, 200)):
        more = {"X-Amz-Checksum-Sha256": value, "X-Amz-Meta-By": "alice"}
        request = AWSRequest("PUT", f"{s3.meta.endpoint_url}/bucket/k", params=more)
        S3SigV4QueryAuth(s3._request_signer._credentials, "s3", "us-east-1").add_auth(request)
        assert get(request.url, method="PUT", data=b"hello")[0] == status
    assert s3.head_object(Bucket="bucket", Key="k")["Metadata"] == {"by": "alice"}


def test_a_presigned_url_ends(s3: Any, alice: User, live_server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put_object(Bucket="bucket", Key="one", Body=b"1")
    here = {"Bucket": "bucket", "Key": "one"}
    long = s3.generate_presigned_url("get_object", here, ExpiresIn=8 * 86400)
    assert b"AuthorizationQueryParametersError" in get(long)[1]
    alice.access_keys.all().delete()
    status, content, _ = get(s3.generate_presigned_url("get_object", here, ExpiresIn=60))
    assert status == 403 and b"InvalidAccessKeyId" in content


def test_what_is_not_signed_rightly_is_refused(s3: Any, alice: User, live_server_url: str) -> None:
    alice.access_keys.all().delete()
    assert refused(s3.list_buckets) == ("InvalidAccessKeyId", 403)
    client = client_of(alice, live_server_url)
    client._request_signer._credentials.secret_key = "wrong"
    assert refused(client.list_buckets) == ("SignatureDoesNotMatch", 403)
    client.close()
