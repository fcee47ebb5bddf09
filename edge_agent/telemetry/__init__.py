"""The only home of structlog and of metrics."""
