"""The object store in somebody's S3: AWS's own, MinIO, Ceph, or the S3 door of another Code Services.

Bytes go up in parts of a bounded size and come down in ranges, so that nothing is as large in memory as it is there.
An object appears when its upload is completed, whole, in place of what was there: that is S3's own promise.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import IO, Any, Self

from botocore.config import Config
from botocore.exceptions import ClientError
from storages.backends.s3 import S3Storage

# 10,000 parts of this size are 156 GiB.
PART_BYTES = 16 * 1024 * 1024
WINDOW_BYTES = 16 * 1024 * 1024
_BUFFER_BYTES = 256 * 1024
_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS = 5, 60, 4
_MISSING = {"404", "NoSuchKey", "NotFound"}


class RemoteStorage(S3Storage):
    """django-storages' S3 storage with files that stream both ways."""

    def __init__(self, **settings: Any) -> None:
        has_endpoint = bool(settings.get("endpoint_url"))
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if has_endpoint else "auto"},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
            # Other servers than AWS's know the checksums of old alone.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        super().__init__(**settings, client_config=config, file_overwrite=True, default_acl=None)

    def writer(self, key: str) -> RemoteWriter:
        return RemoteWriter(self._client, self.bucket_name, self._name(key))

    def remove_drafts(self, before: datetime) -> int:
        """Abort uploads below our prefix that were begun before that time and never completed; how many."""
        count = 0
        for upload in self._uploads():
            if upload["Initiated"] < before:
                self._client.abort_multipart_upload(
                    Bucket=self.bucket_name, Key=upload["Key"], UploadId=upload["UploadId"]
                )
                count += 1
        return count

    def _open(self, name: str, mode: str = "rb") -> IO[bytes]:
        try:
            raw = RemoteReader(self._client, self.bucket_name, self._name(name))
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                raise FileNotFoundError(f"There is no object {name}.") from error
            raise
        return io.BufferedReader(raw, _BUFFER_BYTES)

    @property
    def _client(self) -> Any:
        return self.connection.meta.client

    def _name(self, key: str) -> str:
        name: str = self._normalize_name(key)
        return name

    def _uploads(self) -> Iterator[dict[str, Any]]:
        prefix = f"{self.location.strip('/')}/" if self.location else ""
        pages = self._client.get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=self.bucket_name, Prefix=prefix):
            yield from page.get("Uploads", [])


class RemoteWriter:
    """Bytes on their way up, a part at a time."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client = client
        self._where = {"Bucket": bucket, "Key": key}
        self._buffer = bytearray()
        self._upload_id = ""
        self._parts: list[dict[str, Any]] = []

    def write(self, data: bytes | memoryview) -> None:
        """Append; a part goes up when it is full."""
        self._buffer += data
        while len(self._buffer) >= PART_BYTES:
            self._send(bytes(self._buffer[:PART_BYTES]))
            del self._buffer[:PART_BYTES]

    def commit(self) -> None:
        """Have the object appear."""
        if not self._upload_id:
            content = bytes(self._buffer)
            self._client.put_object(**self._where, Body=content, ContentMD5=_md5(content))
            return
        if self._buffer:
            self._send(bytes(self._buffer))
        self._client.complete_multipart_upload(
            **self._where, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
        )
        self._upload_id = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._buffer.clear()
        if self._upload_id:
            upload_id, self._upload_id = self._upload_id, ""
            self._client.abort_multipart_upload(**self._where, UploadId=upload_id)

    def _send(self, content: bytes) -> None:
        if not self._upload_id:
            self._upload_id = self._client.create_multipart_upload(**self._where)["UploadId"]
        number = len(self._parts) + 1
        told = self._client.upload_part(
            **self._where, UploadId=self._upload_id, PartNumber=number, Body=content, ContentMD5=_md5(content)
        )
        self._parts.append({"PartNumber": number, "ETag": told["ETag"]})


class RemoteReader(io.RawIOBase):
    """An object there as a file that can be sought in: it is asked for in windows, as far as it is read."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        super().__init__()
        self._client = client
        self._where = {"Bucket": bucket, "Key": key}
        told = client.head_object(**self._where)
        self._size: int = told["ContentLength"]
        # Whatever replaces the object meanwhile, what is read is one object's.
        self._etag: str = told["ETag"]
        self._position = 0
        self._window: Any = None
        self._window_left = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        wanted = max(0, base + offset)
        if wanted != self._position:
            self._close_window()
        self._position = wanted
        return wanted

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        left = min(len(buffer), self._size - self._position)
        if left <= 0:
            return 0
        if not self._window_left:
            self._open_window()
        data: bytes = self._window.read(min(left, self._window_left))
        if not data:
            raise OSError(f"the object {self._where['Key']} ended too early")
        buffer[: len(data)] = data
        self._position += len(data)
        self._window_left -= len(data)
        return len(data)

    def close(self) -> None:
        self._close_window()
        super().close()

    def _open_window(self) -> None:
        self._close_window()
        end = min(self._position + WINDOW_BYTES, self._size)
        told = self._client.get_object(**self._where, Range=f"bytes={self._position}-{end - 1}", IfMatch=self._etag)
        self._window, self._window_left = told["Body"], end - self._position

    def _close_window(self) -> None:
        if self._window is not None:
            self._window.close()
        self._window, self._window_left = None, 0


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
