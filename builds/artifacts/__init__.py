"""What a build's buildspec says to keep: packed, uploaded as the build's role, listed and read again."""
