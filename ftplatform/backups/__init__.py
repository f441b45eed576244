"""Back up the whole installation to one file, and restore it."""
