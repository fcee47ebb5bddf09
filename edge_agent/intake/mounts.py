"""Which kind of file system a folder lies on, from the kernel's table of mounts. Pure.

The table is ``/proc/self/mountinfo`` (proc_pid_mountinfo(5)): identity, parent's identity, device, root, mount point, options, optional
fields, a dash, kind, source, options. A kernel tells a watcher only what is written through itself, so on a share that others write
to no event may ever come: such folders are polled.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

NETWORK_KINDS: Final = frozenset(
    {
        *("cifs", "smb3", "smbfs", "ncpfs", "nfs", "nfs4", "afs", "coda", "9p", "ceph", "gfs2", "ocfs2", "lustre", "gpfs", "beegfs"),
        *("orangefs", "davfs", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "autofs"),
    }
)
"""Kinds whose files other machines write; ``autofs`` stands where a share will be mounted when somebody looks."""
_REMOTE_FUSE: Final = re.compile(r"fuse(?!blk|ctl).*")
"""A file system of a user's program: sshfs, glusterfs, vmhgfs, rclone, ... Hardly any passes on what others write."""
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")
UNKNOWN_KIND: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the table; ``point``: where it is mounted, absolute."""

    number: int
    parent: int
    point: str
    kind: str


def parse_mounts(text: str) -> tuple[Mount, ...]:
    """Read the table. A line that is not as described is left out: a newer kernel may say more than we know."""
    return tuple(mount for line in text.split("\n") if (mount := _mount(line)) is not None)


def kind_of(mounts: Sequence[Mount], folder: str) -> str:
    """Give the kind of file system that ``folder`` (absolute, without symbolic links) lies on; ``unknown`` when no mount holds it.

    Goes down from mount to mount as the kernel does when it looks up a path, so a mount that lies over others hides them, and of
    several at one point the topmost counts.
    """
    numbers = {mount.number for mount in mounts}
    above = [mount for mount in mounts if _holds(mount.point, folder)]
    here = _nearest([mount for mount in above if mount.parent not in numbers or mount.parent == mount.number])
    passed: set[int] = set()
    kind = UNKNOWN_KIND
    while here is not None and here.number not in passed:
        passed.add(here.number)
        kind = here.kind
        here = _nearest([mount for mount in above if mount.parent == here.number and mount.number not in passed])
    return kind


def needs_polling(kind: str) -> bool:
    """Say whether a file system of this kind may be written to by others than this machine's kernel."""
    return kind in NETWORK_KINDS or _REMOTE_FUSE.fullmatch(kind) is not None


def _mount(line: str) -> Mount | None:
    fields = line.split(" ")
    try:
        dash = fields.index("-", 6)
        return Mount(int(fields[0]), int(fields[1]), _plain(fields[4]), fields[dash + 1])
    except (ValueError, IndexError):
        return None


def _plain(text: str) -> str:
    """Put back what the kernel writes in octal: blanks, tabs, line ends and backslashes, each byte by itself."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8) & 0xFF), text)


def _holds(point: str, folder: str) -> bool:
    return point in ("/", folder) or folder.startswith(f"{point}/")


def _nearest(mounts: Sequence[Mount]) -> Mount | None:
    """Give the mount that a path from above meets first; of several there the last one listed, which was mounted last."""
    return min(reversed(mounts), key=lambda mount: len(mount.point), default=None)
