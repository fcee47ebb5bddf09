"""Whether the packages of the extra ``console`` are installed; asked before anything imports them."""

import importlib.util

from edge_agent.errors import ConfigInvalid

_PACKAGES = ("fastapi", "uvicorn", "argon2")


def need_extra(what: str) -> None:
    """Go on only with the extra.

    Raises:
        ConfigInvalid: a package of it is missing. ``what`` begins the sentence that says so.
    """
    if any(importlib.util.find_spec(name) is None for name in _PACKAGES):
        raise ConfigInvalid(f'{what} needs `pip install "edge-agent[console]"`')
