"""The conditions of the literature as sets of functions, and their decisions."""
