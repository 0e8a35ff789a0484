"""What the admin modules of every app share: the site, the base classes, acts of their own, columns and filters."""
