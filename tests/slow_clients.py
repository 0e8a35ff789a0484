"""The product's ASGI application with little patience: a client that stalls is left after a second."""

from __future__ import annotations

from codeservices.asgi import application as application
from repos.git import exchange

exchange.CLIENT_SECONDS = 1.0
