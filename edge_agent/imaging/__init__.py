"""Verbs on arrays: pure functions from ndarray to ndarray."""
