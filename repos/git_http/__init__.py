"""Git's own URLs: a small ASGI program beside Django, which clones and pushes go through."""
