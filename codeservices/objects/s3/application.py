"""S3 requests, told apart before any address of the console is looked at: those that are signed for the service s3.

Django's own ASGI handler spools a whole body before a view sees a byte; here no byte is read before its signature and
its policy are checked, and what comes streams into the store.
"""

from __future__ import annotations

import re

from codeservices.aws import sigv2

# They register their operations.
from codeservices.objects.s3 import buckets, configuration, objects, uploads  # noqa: F401
from codeservices.objects.s3.connection import Receive, Scope, Send
from codeservices.objects.s3.request import S3Request

_HEADER = re.compile(rb"AWS4-HMAC-SHA256\s.*Credential=[^/,]+/[^/,]+/[^/,]+/s3/aws4_request")
_QUERY = re.compile(rb"(?:^|&)X-Amz-Credential=[^&]+?(?:%2[Ff]|/)s3(?:%2[Ff]|/)aws4_request(?:&|$)")


def handles(scope: Scope) -> bool:
    """Whether a request is signed for s3, in its header or its query."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            return _HEADER.match(value[:1024]) is not None
    query: bytes = scope["query_string"]
    is_old = scope["path"] != "/" and sigv2.is_presigned(query.decode("latin-1"))
    return is_old or _QUERY.search(query) is not None


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request."""
    await S3Request(scope, receive, send).answer()
