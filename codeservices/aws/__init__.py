"""AWS's wire protocols: signatures, JSON 1.1 and Query, and the functions registered for operations."""
