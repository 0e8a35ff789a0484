"""Console pages of buckets."""
