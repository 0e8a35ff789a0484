"""Everything about git itself, without Django: objects, refs, the wire, and the git program as a child."""
