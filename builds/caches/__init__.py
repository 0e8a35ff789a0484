"""Files that later builds begin with, in the object store or on one worker's disk."""
