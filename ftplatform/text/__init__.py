"""The one place where figures and values become words, and where text is made safe for Markdown."""
