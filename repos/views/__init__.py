"""Console pages of repositories."""
