"""Experiments: a study's numbers as a model, a design and an estimator, and what a replicate is measured by."""

from moelib.experiments.experiment import Experiment

__all__ = ["Experiment"]
