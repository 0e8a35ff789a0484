"""The threads in which git requests ask the database."""

from __future__ import annotations

from codeservices.request_threads import RequestThreads

# What they do is short; a push that waits for SQLite's one writer must leave threads for those who only read.
_threads = RequestThreads(8, "git-request")

in_thread = _threads.run
close_connections = _threads.close_connections
