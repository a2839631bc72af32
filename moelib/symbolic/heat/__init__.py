"""The polynomial systems behind the heat equation of an over-fitted Gaussian cell, and the proof of their degree."""
