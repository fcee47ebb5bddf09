"""The only home of the web framework (not built yet)."""
