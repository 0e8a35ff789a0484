"""The commit graph: lanes and lines, the index of a whole graph, windows of it, and the drawing of a row."""
