"""Secrets, as AWS Secrets Manager keeps them: versions and their stages, lists, deletion with a way back, tags."""
