"""The service for build projects and builds."""
