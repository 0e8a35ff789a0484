"""The object store in S3's shape: buckets, objects, and the pieces that their bytes lie in."""
