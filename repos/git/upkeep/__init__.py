"""What keeps a repository fast and whole: its state, what that calls for, and the git commands that do it.

No object that git has taken in is lost by any of it, however pushes, fetches and kills fall together:

- A repack (`jobs.repack`, `jobs.repack_fully`) writes every object of the packs that it replaces into new packs, the
  unreachable ones as well (`--geometric` never asks what is reachable, `--cruft` puts the rest into a pack of its own),
  syncs them to disk, and only then unlinks the old ones: those that it listed at its start, never one that a push
  brought in meanwhile. A process that has an old pack open goes on reading it; one that looks for an object and does
  not find its pack reads the list of packs again, as git does in `reprepare_packed_git` and dulwich likewise.
- Loose objects go once a pack has them (git-prune-packed(1)), loose refs once packed-refs has them and they still have
  the same value under their own lock (git-pack-refs(1)).
- Objects are deleted in one place, `expiry.expire`, under a lock that excludes every process that moves a ref.
- Files that killed processes left are removed in one place, `leftovers.remove`, under the same lock.
"""
