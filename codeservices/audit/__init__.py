"""The audit trail: acts that are under way, the events they leave, the chain of these, and how it is read."""
