"""Where the files that belong to this version lie: beside the package in a checkout, under share/ where it is installed."""

import sys
from pathlib import Path

import edge_agent


def share_dir() -> Path:
    """Give the folder that holds ``config/`` and ``exported_models/``."""
    checkout = Path(edge_agent.__file__).resolve().parent.parent
    return checkout if (checkout / "config/scanners").is_dir() else Path(sys.prefix) / "share/edge-agent"
