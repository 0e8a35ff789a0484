"""What differs between two trees: first the list of files, then the rows of those that are looked at.

`changes` lists the files, `hunks` gives the rows of one or many, `counts` their added and deleted lines, `excerpt` the
lines between hunks, `markup` the HTML of rows. Lines are the git program's own, so that a page shows what `git diff`
shows; which removed line stands beside which added one is `pairing`'s to decide.
"""
