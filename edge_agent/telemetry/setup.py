"""Where log lines go: JSON for the system's journal, readable columns on a terminal."""

import logging
import sys
from typing import TextIO

import structlog


def set_up_logging(stream: TextIO = sys.stdout) -> None:
    """Send every event to ``stream``, one line each; called once, by the command line."""
    renderer: structlog.typing.Processor
    renderer = structlog.dev.ConsoleRenderer() if stream.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
