"""Roll-ups over facts: pure functions, no storage."""
