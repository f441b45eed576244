"""A report and its ratings in the forms in which people carry them away."""
