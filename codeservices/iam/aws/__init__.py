"""IAM and STS operations, a module a topic; importing the package registers them."""

from codeservices.iam.aws import access_keys, git_credentials, mfa, password_policy, sts, users

__all__ = ["access_keys", "git_credentials", "mfa", "password_policy", "sts", "users"]
