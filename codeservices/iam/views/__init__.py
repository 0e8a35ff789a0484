"""Pages of sign-in, users, groups, policies and credentials."""
