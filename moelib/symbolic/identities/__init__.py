"""Identities that units satisfy, one function each."""
