"""The folder that ``--out`` names: made and tried before the work, so that no work is lost for it."""

import os
from pathlib import Path

from edge_agent.errors import ConfigUnreadable


def make_out_folder(folder: Path | None) -> None:
    """Make ``folder`` if it is not there; None = nothing will be written.

    Raises:
        ConfigUnreadable: it cannot be made, or nothing can be written into it.
    """
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ConfigUnreadable(f"--out {folder}: {problem.strerror}") from problem
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigUnreadable(f"--out {folder}: may not be written to")
