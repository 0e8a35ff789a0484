"""Installing and running on one machine: what `make` calls. Standard library only, so that any python3 can start it."""
