"""Estimators: one driver loop, solvers that say init and step, charts, starts and certificates."""
