"""Training of the shipped bundles on simulated images; no part of the installed package."""
