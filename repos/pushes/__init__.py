"""Refs that move, whoever moves them: judged, written down, moved by git, delivered, recovered after a crash."""
