"""What both services share: settings, web process, identity, audit, wire protocols, console, object store.

It imports neither of them.
"""
