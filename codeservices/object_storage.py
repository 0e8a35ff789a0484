"""The settings of a store in somebody's S3, as django-storages takes them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from codeservices.env import SettingError

_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[A-Za-z0-9._/-]*))?")


def options(url: str, *, endpoint_url: str, region: str, access_key_id: str, secret_access_key: str) -> dict[str, Any]:
    """Options of the storage backend.

    Args:
        url: s3://BUCKET or s3://BUCKET/PREFIX.
        endpoint_url: The server's origin; empty for AWS itself.
        access_key_id, secret_access_key: Both, or neither where boto3 finds credentials by itself.

    Raises:
        SettingError: Something of it can't be meant.
    """
    match = _URL.fullmatch(url)
    if match is None or ".." in url:
        raise SettingError(f"CODESERVICES_OBJECT_STORAGE must look like s3://BUCKET/PREFIX, not “{url}”.")
    parts = urlsplit(endpoint_url)
    if endpoint_url and (parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/")):
        raise SettingError(
            "CODESERVICES_OBJECT_STORAGE_ENDPOINT must be an origin such as https://s3.example.com, not"
            f" “{endpoint_url}”."
        )
    if bool(access_key_id) != bool(secret_access_key):
        raise SettingError(
            "Set CODESERVICES_OBJECT_STORAGE_ACCESS_KEY_ID and CODESERVICES_OBJECT_STORAGE_SECRET_ACCESS_KEY, or"
            " neither."
        )
    return {
        "bucket_name": match["bucket"],
        "location": (match["prefix"] or "").strip("/"),
        "endpoint_url": endpoint_url or None,
        "region_name": region,
        "access_key": access_key_id or None,
        "secret_key": secret_access_key or None,
    }
