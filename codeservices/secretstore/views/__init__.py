"""Console pages of parameters and secrets."""
