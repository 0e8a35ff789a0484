"""What repos announces. Listeners live in the apps that care; repos imports none of them."""

from django.dispatch import Signal

# Sent once per ref after a push is recorded, from a worker. Arguments: repository (Repository), refname (full),
# old_oid and new_oid (forty zeros: no ref), push (Push).
ref_updated = Signal()
