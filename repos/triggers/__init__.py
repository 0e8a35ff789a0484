"""Triggers: what pushes tell, to whom, and what has come of it."""
