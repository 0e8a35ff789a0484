"""Who is asking and what they may do: identities, credentials, policies, roles, sign-in, and the one decision."""
