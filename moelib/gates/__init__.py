"""Gates: a score formula and a normaliser."""
