"""The only place where numbers and values become text, and where text is escaped for Markdown."""
