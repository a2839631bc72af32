"""Checks of the built site: what a strict Sphinx build lets pass."""
