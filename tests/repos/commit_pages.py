"""The page of a commit, as tests ask for it."""

from __future__ import annotations

from django.http.response import HttpResponseBase

HX = {"HX-Request": "true"}
HOSTILE = "<script>alert(1)</script>"


def text(answer: HttpResponseBase) -> str:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return content.decode()


def commit_url(oid: str) -> str:
    return f"/repositories/demo/commit/{oid}"
