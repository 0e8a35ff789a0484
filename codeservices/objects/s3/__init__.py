"""The S3 API, path-style, as an ASGI program beside Django."""
