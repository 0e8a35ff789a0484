"""A build's sources: found and authorized as its role, and brought into its container."""
