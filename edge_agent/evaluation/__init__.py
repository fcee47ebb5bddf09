"""Measured truth about bundles (not built yet)."""
