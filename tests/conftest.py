"""Shapes are checked when tests run, and only then, where every number passes: in the models."""

from jaxtyping import install_import_hook

hook = install_import_hook(["moelib.models"], "beartype.beartype")
