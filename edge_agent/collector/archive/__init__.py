"""Headquarters' archive: one contract over SQLite and PostgreSQL. ``store.Archive`` is its face, ``port`` what goes in and out."""
