"""Where the files that belong to this version lie: beside the package in a checkout, under share/ where it is installed."""

import sys
from pathlib import Path

import edge_agent
from edge_agent.signing.keys import VerifyKey


def share_dir() -> Path:
    """Give the folder that holds ``config/`` and ``exported_models/``."""
    checkout = Path(edge_agent.__file__).resolve().parent.parent
    return checkout if (checkout / "config/scanners").is_dir() else Path(sys.prefix) / "share/edge-agent"


def installed_bundles() -> Path:
    """Give the folder of the bundles that came with this version."""
    return share_dir() / "exported_models"


def release_key() -> VerifyKey:
    """Give the public key that the bundles of this project's releases are signed with.

    Raises:
        SigningKeyUnusable: the file is not where the installation put it.
    """
    return VerifyKey.load(share_dir() / "config/release.sign")
