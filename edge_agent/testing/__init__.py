"""Fakes, factories and strategies for tests; never imported by the runtime."""
