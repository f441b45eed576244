"""Downloads of a report and its ratings."""
