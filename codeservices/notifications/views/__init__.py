"""Console pages of topics and their subscriptions."""
