"""Forms of identities, a module a topic."""
