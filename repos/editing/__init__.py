"""Commits that this server makes itself: files changed, a commit reverted or applied elsewhere, branches merged.

`edits`, `picks` and `merges` are what API and console share, `rules` says what such a commit may hold; `forms`,
`preview` and `text_file` are the console's.
"""
