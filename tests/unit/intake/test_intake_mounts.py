"""Which folders are polled: the kernel's table of mounts, as it looks on real machines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.intake.mounts import Mount, kind_of, needs_polling, parse_mounts

TABLE = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 27 0:30 / /mnt/portal-1 ro,relatime shared:5 - cifs //10.0.0.7/scans ro,vers=3.0,username=x
31 27 0:31 / /srv/nfs rw,relatime master:1 propagate_from:2 - nfs4 10.0.0.8:/export rw,vers=4.2
32 27 0:32 / /home/u/far\\040away\\134x rw,nosuid - fuse.sshfs u@h:/ rw,user_id=0
33 27 254:0 /var/scans /srv/bound rw,relatime - ext4 /dev/vda rw,discard
34 27 0:34 / /net rw,relatime - autofs /etc/auto.net rw,fd=7,direct
35 34 0:35 / /net/gate rw,relatime - cifs //gate/scans rw
36 30 0:36 / /mnt/portal-1/local rw,relatime - tmpfs tmpfs rw
37 27 0:37 / /media/usb rw,relatime - fuseblk /dev/sdb1 rw
38 27 0:38 / /share/host rw,relatime - virtiofs host rw
39 27 0:39 / /run/user/1/gvfs rw - fuse.gvfsd-fuse gvfsd-fuse rw
40 27 0:40 / /über rw - nfs h:/x rw
"""
MOUNTS = parse_mounts(TABLE)


@pytest.mark.parametrize(
    ("folder", "kind", "polled"),
    [
        ("/", "ext4", False),
        ("/var/lib", "ext4", False),
        ("/mnt/portal-1", "cifs", True),
        ("/mnt/portal-1/2026/11/22", "cifs", True),
        ("/mnt/portal-10", "ext4", False),
        ("/mnt/portal-1/local/x", "tmpfs", False),
        ("/srv/nfs/day", "nfs4", True),
        ("/home/u/far away\\x/scans", "fuse.sshfs", True),
        ("/srv/bound", "ext4", False),
        ("/net/other", "autofs", True),
        ("/net/gate/lane", "cifs", True),
        ("/media/usb", "fuseblk", False),
        ("/share/host", "virtiofs", True),
        ("/run/user/1/gvfs/smb", "fuse.gvfsd-fuse", True),
        ("/über/scans", "nfs", True),
    ],
)
def test_a_folder_lies_on_the_mount_that_the_kernel_would_find(folder, kind, polled):
    assert (kind, polled) == (kind_of(MOUNTS, folder), needs_polling(kind_of(MOUNTS, folder)))


def test_a_share_mounted_over_a_folder_counts_until_something_lies_over_it():
    over = [Mount(1, 0, "/", "ext4"), Mount(2, 1, "/mnt", "cifs"), Mount(3, 2, "/mnt", "tmpfs")]
    assert kind_of(over[:2], "/mnt/a") == "cifs"
    assert kind_of(over, "/mnt/a") == "tmpfs"


def test_a_mount_below_one_that_came_later_is_hidden():
    mounts = [Mount(1, 0, "/", "ext4"), Mount(2, 1, "/mnt/share", "cifs"), Mount(3, 1, "/mnt", "ext4")]
    assert kind_of(mounts, "/mnt/share") == "ext4"
    assert kind_of(mounts[:2], "/mnt/share") == "cifs"


def test_autofs_before_and_after_somebody_looked():
    waiting = [Mount(1, 0, "/", "ext4"), Mount(2, 1, "/net/gate", "autofs")]
    assert needs_polling(kind_of(waiting, "/net/gate"))
    assert kind_of([*waiting, Mount(3, 2, "/net/gate", "nfs4")], "/net/gate") == "nfs4"


@pytest.mark.parametrize("line", ["", "garbage", "1 2 3 4 5 6 7", "x 27 0:1 / /mnt rw - cifs a b", "36 35 98:0 / /mnt rw -"])
def test_a_line_that_is_none_is_left_out(line):
    assert parse_mounts(f"{line}\n27 1 254:0 / / rw - ext4 /dev/vda rw\n") == (Mount(27, 1, "/", "ext4"),)


def test_without_any_mount_the_kind_is_unknown_and_events_are_believed():
    assert kind_of((), "/srv") == "unknown"
    assert not needs_polling("unknown")


@given(st.text(max_size=300))
def test_any_text_is_read(text):
    for mount in parse_mounts(text):
        assert isinstance(mount.point, str)


POINTS = st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/ab"])


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), POINTS), max_size=7), POINTS)
def test_the_answer_is_a_mount_above_the_folder_whatever_the_table(rows, folder):
    """Loops of parents, two roots, unknown parents: an end is always found."""
    mounts = [Mount(number, parent, point, f"kind-{place}") for place, (number, parent, point) in enumerate(rows)]
    kind = kind_of(mounts, folder)
    above = {mount.kind for mount in mounts if mount.point in ("/", folder) or folder.startswith(f"{mount.point}/")}
    assert kind in above | {"unknown"}


@given(st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_names_written_in_octal_are_read_back(name):
    written = "".join(f"\\{ord(sign):03o}" if sign in " \t\\#" else sign for sign in name)
    (mount,) = parse_mounts(f"30 27 0:30 / /mnt/{written} rw - cifs //h/s rw")
    assert mount.point == f"/mnt/{name}"
