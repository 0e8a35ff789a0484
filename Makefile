# Thin on purpose: each goal is a function under deploy/, started with the system's python3.
.DEFAULT_GOAL := help
GOALS := up down status logs lint test test-faults bench
.PHONY: help $(GOALS)

help:
	@echo "make up           set everything up and start it; repeat it at any time"
	@echo "make status       each process, the addresses, and whether all is healthy"
	@echo "make logs         the last lines of every process; FOLLOW=1 goes on"
	@echo "make down         stop it; the data stays under var/"
	@echo "make lint         ruff and mypy"
	@echo "make test         every test, with all set-up"
	@echo "make test-faults  the long kill, escape and load tests"
	@echo "make bench        the measurements under bench/"

$(GOALS):
	@python3 deploy/bootstrap.py $@
