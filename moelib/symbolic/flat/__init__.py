"""Exact flat directions: different mixing measures with one and the same function."""
