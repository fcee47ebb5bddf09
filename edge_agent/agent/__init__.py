"""The daemon: wiring and life."""
