"""Console pages of projects, builds, logs, artifacts and caches."""
