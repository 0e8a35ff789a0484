"""What scripts do on a page. A package, so that a browser may last as long as its tests."""
