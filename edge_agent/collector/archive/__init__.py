"""Headquarters' archive: one contract over SQLite and PostgreSQL."""

from edge_agent.collector.archive.port import Batch, CasePage, Cursor, Database, FindingLine, ScanKey, StoredFact
from edge_agent.collector.archive.store import Archive

__all__ = ["Archive", "Batch", "CasePage", "Cursor", "Database", "FindingLine", "ScanKey", "StoredFact"]
