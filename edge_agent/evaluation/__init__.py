"""Measured truth about bundles: what a labelled set of scans says about them. The command is ``edge-agent evaluate``."""
