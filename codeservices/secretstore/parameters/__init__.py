"""Parameters, as AWS Systems Manager keeps them: names, versions, labels, reading by path, lists, tags."""
