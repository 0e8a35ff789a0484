"""Repositories on other servers: imports, and mirrors that follow them."""
