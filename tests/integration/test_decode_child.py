"""The real decode child: a process of its own, real descriptors, real memory files."""

import contextlib
import fcntl
import gc
import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_agent.domain.drop import Completeness
from edge_agent.domain.member import DropMember
from edge_agent.domain.profile import Limits
from edge_agent.errors import (
    DecoderDied,
    DecoderUnavailable,
    DecodeTimedOut,
    DropUnavailable,
    LimitExceeded,
    UnreadableScan,
    UnsupportedFormat,
)
from edge_agent.formats import child as child_module
from edge_agent.formats.child import DecodeChild, MemberFile
from edge_agent.formats.encode import png_bytes, tiff_bytes
from edge_agent.formats.exchange import LENGTH
from edge_agent.testing.drops import cargo_profile, limited, load_picture, picture_profile, sim_sidecar

SLOW = 4000  # a PNG with this many pixels a side takes some hundred milliseconds


@pytest.fixture(scope="module")
def shared():
    with DecodeChild() as child:
        child.start()
        yield child


@pytest.fixture(scope="module")
def slow_png(tmp_path_factory):
    path = tmp_path_factory.mktemp("slow") / "slow.png"
    noise = np.random.default_rng(1).integers(0, 65536, (SLOW, SLOW)).astype(np.uint16)
    path.write_bytes(png_bytes(noise))
    return [MemberFile("slow.png", "picture", path)]


def cargo(folder: Path):
    parts = {"high": ("k_high.tif", tiff_bytes(load_picture())), "low": ("k_low.tif", tiff_bytes(load_picture(seed=1)))}
    parts["sidecar"] = ("k.json", sim_sidecar())
    for name, data in parts.values():
        (folder / name).write_bytes(data)
    return [MemberFile(name, role, folder / name) for role, (name, _) in parts.items()]


def one(path: Path, data: bytes):
    path.write_bytes(data)
    return [MemberFile(path.name, "picture", path)]


def hanging(folder: Path, deadline_s: float):
    """A drop and a profile whose pattern never comes to an end on the name that the side-car lists."""
    base = limited(picture_profile("json"), Limits(deadline_s=deadline_s))
    endless = replace(base.members[1], pattern=r"(?P<key>(a+)+)\.png")
    (folder / "a.json").write_bytes(sim_sidecar({"resources": ["a" * 60]}))
    members = [*one(folder / "a.png", png_bytes(load_picture())), MemberFile("a.json", "sidecar", folder / "a.json")]
    return members, replace(base, members=(endless, base.members[2]))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_scan_comes_through_the_child_bit_by_bit(shared, tmp_path):
    members = cargo(tmp_path)
    result = shared.probe(members, cargo_profile())
    assert Completeness.COMPLETE is result.completeness
    decoded = shared.decode(members, cargo_profile())
    np.testing.assert_array_equal(load_picture(), decoded.views[0].planes[0].pixels)
    np.testing.assert_array_equal(load_picture(seed=1), decoded.views[0].planes[1].pixels)
    assert result.sidecar == decoded.sidecar
    assert decoded.sidecar.identities[0].value == "ZZZU6304941"


def test_pixels_are_windows_on_the_childs_memory_and_outlive_its_next_answer(shared, tmp_path):
    first = shared.decode(one(tmp_path / "a.png", png_bytes(load_picture(seed=1))), picture_profile())
    shared.decode(one(tmp_path / "b.png", png_bytes(load_picture(seed=2))), picture_profile())
    gc.collect()
    pixels = first.views[0].planes[0].pixels
    np.testing.assert_array_equal(load_picture(seed=1), pixels)
    base = pixels
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base.obj if isinstance(base, memoryview) else base, mmap.mmap)
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0] = 1


def test_a_member_of_the_scanners_folder_can_be_probed_as_it_is(shared, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(load_picture()))
    found = path.stat()
    member = DropMember("a.png", "picture", path, found.st_size, found.st_mtime_ns)
    assert Completeness.COMPLETE is shared.probe([member], picture_profile()).completeness


def test_a_refusal_arrives_as_its_own_leaf_and_the_child_goes_on(shared, tmp_path):
    before = shared.pid
    with pytest.raises(UnreadableScan) as caught:
        shared.decode(one(tmp_path / "a.png", png_bytes(load_picture())[:-4]), picture_profile())
    assert caught.value.fields["role"] == "picture"
    with pytest.raises(UnsupportedFormat):
        shared.decode(one(tmp_path / "b.png", b"text, renamed to a picture"), picture_profile())
    with pytest.raises(LimitExceeded):
        shared.decode(one(tmp_path / "c.png", png_bytes(load_picture())), limited(picture_profile(), Limits(max_pixels=9)))
    assert before == shared.pid


def test_a_hanging_job_is_ended_at_its_deadline_and_the_next_job_works(tmp_path):
    with DecodeChild() as child:
        child.start()
        with pytest.raises(DecodeTimedOut):
            child.probe(*hanging(tmp_path, 0.3))
        assert child.decode(one(tmp_path / "a.png", png_bytes(load_picture())), picture_profile()).views


def test_a_child_that_does_not_even_answer_its_alarm_is_killed_by_the_parent(slow_png):
    with DecodeChild() as child:
        child.start()
        child.decode(slow_png, picture_profile())
        stopped = child.pid
        os.kill(stopped, signal.SIGSTOP)
        with pytest.raises(DecodeTimedOut):
            child.decode(slow_png, limited(picture_profile(), Limits(deadline_s=0.02)))
        assert not is_running(stopped)


def test_a_file_that_kills_the_decoder_gets_the_blame(slow_png):
    with DecodeChild() as child:
        starved = limited(picture_profile(), Limits(max_memory_bytes=1 << 20))
        with pytest.raises(DecoderDied) as caught:
            child.decode(slow_png, starved)
        assert "exit" in caught.value.fields


def test_a_file_is_not_blamed_for_the_death_of_a_child_that_others_used(tmp_path):
    members = one(tmp_path / "a.png", png_bytes(load_picture()))
    with DecodeChild() as child:
        child.decode(members, picture_profile())
        first = child.pid
        os.kill(first, signal.SIGKILL)
        assert child.decode(members, picture_profile()).views
        assert first != child.pid


def test_a_child_that_cannot_start_is_nobodys_fault_but_the_installations(tmp_path):
    with DecodeChild(python="/bin/false") as child, pytest.raises(DecoderUnavailable):
        child.decode(one(tmp_path / "a.png", png_bytes(load_picture())), picture_profile())


def test_an_absent_member_is_try_later(shared, tmp_path):
    with pytest.raises(DropUnavailable):
        shared.probe([MemberFile("x.png", "picture", tmp_path / "x.png")], picture_profile())


@pytest.mark.parametrize("kind", ["symlink", "fifo", "folder"])
def test_only_regular_files_are_opened(shared, tmp_path, kind):
    path = tmp_path / "a.png"
    if kind == "symlink":
        (tmp_path / "secret.png").write_bytes(png_bytes(load_picture()))
        path.symlink_to(tmp_path / "secret.png")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(UnsupportedFormat):
        shared.decode([MemberFile("a.png", "picture", path)], picture_profile())


def held(folder: Path):
    """Descriptors on members and answers, with their inodes: a number that is used anew is told apart."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the listing's own
            target, inode = str(link.readlink()), link.stat().st_ino
            if target.startswith((str(folder), "/memfd:decoded")):
                found.add((target, inode))
    return found


def test_no_descriptor_is_left_open(shared, tmp_path):
    members = cargo(tmp_path)
    before = held(tmp_path)  # answers that earlier tests still hold, in their tracebacks for example
    with open(tmp_path / "k.json", "rb"):  # noqa: PTH123 - to see that the count works
        assert len(held(tmp_path) - before) == 1
    for _ in range(3):
        shared.probe(members, cargo_profile())
        decoded = shared.decode(members, cargo_profile())
        with pytest.raises(DropUnavailable):
            shared.probe([*members, MemberFile("x", "low", tmp_path / "x")], cargo_profile())
    assert len(held(tmp_path) - before) == 1
    del decoded  # a mapping that is alive holds its memory file open
    gc.collect()
    assert held(tmp_path) - before == set()


def test_a_drop_of_too_many_members_is_refused_before_anything_is_opened(shared, tmp_path):
    with pytest.raises(LimitExceeded):
        shared.probe([MemberFile("x", "high", tmp_path / "x")] * 100, cargo_profile())
    with pytest.raises(LimitExceeded):
        shared.probe([MemberFile("x" * 200_000, "high", tmp_path / "x")], cargo_profile())


def test_closing_ends_the_child_and_a_later_call_starts_another(tmp_path):
    child = DecodeChild()
    child.start()
    pid = child.pid
    child.close()
    assert not is_running(pid)
    assert child.pid is None
    assert child.decode(one(tmp_path / "a.png", png_bytes(load_picture())), picture_profile()).views
    child.close()


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in-a-hanging-job"])
def test_the_child_does_not_outlive_a_parent_that_was_killed(tmp_path, busy):
    """Idle, it sees its socket close; in a job, its own alarm ends it."""
    script = textwrap.dedent(
        """
        import sys, threading
        from pathlib import Path
        from edge_agent.formats.child import DecodeChild
        sys.path.insert(0, sys.argv[2])
        from test_decode_child import hanging
        child = DecodeChild()
        child.probe([], hanging(Path(sys.argv[1]), 30.0)[1])
        threading.Timer(0.3, lambda: print(child.pid, flush=True)).start()
        if sys.argv[3] == "True":
            child.probe(*hanging(Path(sys.argv[1]), 5.0))
        threading.Event().wait()
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parent), str(busy)],
        stdout=subprocess.PIPE,
        cwd=Path(child_module.__file__).parents[2],
    )
    watch = os.pidfd_open(int(parent.stdout.readline()))
    try:
        parent.kill()
        parent.wait()
        poll = select.poll()
        poll.register(watch)
        assert poll.poll(60_000), "the child is an orphan"
    finally:
        os.close(watch)
        parent.stdout.close()


def send(body: bytes, *, head: bytes | None = None, seal: bool = True, regular: Path | None = None):
    """Answer as a child would that its files have taken over; give the parent's end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    descriptor = os.open(regular, os.O_RDWR | os.O_CREAT) if regular else os.memfd_create("x", os.MFD_ALLOW_SEALING)
    os.write(descriptor, body)
    if seal and not regular:
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    socket.send_fds(theirs, [LENGTH.pack(len(body)) if head is None else head], [descriptor])
    os.close(descriptor)
    theirs.close()
    return ours


PLANE = '{"quantity":"transmission","energy":"high","dtype":"uint16","shape":%s,"offset":%s}'
DECODED = '{"kind":"decoded","views":[{"name":"side","planes":[%s],"pitch_mm":null,"native":{}}],"sidecar":null,"notes":[]}'


@pytest.mark.parametrize(
    "answer",
    [
        lambda tmp: send(b"{}"),
        lambda tmp: send(b"[" * 100_000),
        lambda tmp: send(b'{"kind":"refused","code":"x","detail":"","fields":[]}', seal=False),
        lambda tmp: send(b"{}", regular=tmp / "file"),
        lambda tmp: send(b"{}", head=LENGTH.pack(1 << 40)),
        lambda tmp: send(b"{}", head=b"\x00"),
    ],
    ids=["empty", "nested", "unsealed", "regular-file", "too-long", "short-head"],
)
def test_an_answer_that_is_none_is_not_believed(answer, tmp_path):
    channel = answer(tmp_path)
    with channel, pytest.raises((ValueError, OSError)):
        child_module._received(channel, 1.0)


@pytest.mark.parametrize(
    "plane",
    [PLANE % ("[4,4]", 0), PLANE % ("[-4,4]", 0), PLANE % ("[0,4]", 0), PLANE % ("[4294967296,4294967296]", 0), PLANE % ("[1,1]", 10**12)],
)
def test_planes_outside_the_memory_are_not_mapped(plane):
    with send((DECODED % plane).encode()) as channel:
        mapped = child_module._received(channel, 1.0)
    with pytest.raises(ValueError, match=r"."):
        child_module._decoded(mapped, mapped.body)
