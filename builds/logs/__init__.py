"""Logs of builds: lines with number and time, live and for good, read by cursor."""
