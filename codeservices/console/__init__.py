"""The console's own pages: dashboard, quick search, and what is shown for errors."""
