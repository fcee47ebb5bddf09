"""Headquarters' report: values first (``build``), then tables of them (``sections``), then files and pages."""
