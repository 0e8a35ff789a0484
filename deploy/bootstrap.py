"""Where `make` comes in: python3 deploy/bootstrap.py up|down|status|logs|lint|test|test-faults|bench.

Runs with the system's python3 before anything is installed.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120


def main(arguments: "list[str]") -> int:
    """Run one goal; the exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036  this is the check that says so
        have = sys.version.split()[0]
        print("Python 3.11 or later is needed; this is " + have + ". On Debian 12: sudo apt-get install -y python3")
        return 1
    from deploy import goals

    return goals.run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
