"""Durable memory: jobs, journal and identities in one SQLite file."""
