"""Runs a plan in a container, phase by phase. With images/ the only code that knows Docker."""
