"""The build images that this installation makes itself."""
