"""IAM and STS operations, a module a topic; importing the package registers them."""

from codeservices.iam.aws import access_keys, git_credentials, simulation, sts, users

__all__ = ["access_keys", "git_credentials", "simulation", "sts", "users"]
