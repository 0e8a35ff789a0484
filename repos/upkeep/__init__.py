"""What keeps repositories small, quick and sound: which job is due, and the worker that does it."""
