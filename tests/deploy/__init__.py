"""What sets up, starts and stops an installation. A package, so that a fixture may last as long as its tests."""
