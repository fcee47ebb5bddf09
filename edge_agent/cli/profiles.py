"""Scanner profiles by name: those that came with this version, or a file of the user's own."""

from pathlib import Path

from edge_agent.domain.profile import Profile
from edge_agent.formats.profiles import load_profile
from edge_agent.inference.installed import share_dir


def named_profile(name: str) -> Profile:
    """Give a shipped profile by its name (``smiths-dataform``), or the one in a file whose path ends with ``.toml``.

    Raises:
        ConfigUnreadable, ConfigInvalid: there is none, or it cannot be used.
    """
    return load_profile(Path(name) if name.endswith(".toml") else share_dir() / f"config/scanners/{name}.toml")
