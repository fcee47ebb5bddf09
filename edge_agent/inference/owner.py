"""Whose files are: what root leaves in the state directory must belong to the user that the daemon runs as."""

import os
from contextlib import suppress
from pathlib import Path


def keep_owner(folder: Path) -> None:
    """Give a folder, with all that is in it, the owner of the folder that it stands in; only root can, and only root needs to."""
    if os.geteuid() != 0:
        return
    owner = folder.parent.stat()
    # By descriptors, and no link is followed: whoever owns the folder could swap names while root walks.
    for _, _, files, place in os.fwalk(folder):
        os.chown(place, owner.st_uid, owner.st_gid)
        for name in files:
            with suppress(FileNotFoundError):  # the daemon took it meanwhile
                os.chown(name, owner.st_uid, owner.st_gid, dir_fd=place, follow_symlinks=False)
