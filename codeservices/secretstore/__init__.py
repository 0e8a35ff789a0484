"""Values for builds and people: parameters in Parameter Store's shape, secrets in Secrets Manager's."""
