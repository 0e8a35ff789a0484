"""The service for git repositories. It knows nothing of builds."""
