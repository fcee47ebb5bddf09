"""A decoder that the bytes have taken over, inside the real child: what it tries is refused or ends it, and the next scan is decoded."""

import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_agent.domain.profile import Limits
from edge_agent.errors import DecoderDied, DecodeTimedOut, UnreadableScan
from edge_agent.formats.child import DecodeChild, MemberFile
from edge_agent.formats.encode import png_bytes, tiff_bytes
from edge_agent.formats.sandbox import MAX_OPEN_FILES, SandboxReport, readable_folders, weakest
from edge_agent.testing.drops import limited, load_picture, picture_profile

PROFILE = limited(picture_profile(), Limits(deadline_s=60.0, max_memory_bytes=1 << 30))

TAKEN_OVER = """\
    #!{python}
    import ctypes, os, resource, signal, socket, subprocess, sys, threading, time
    from pathlib import Path
    import numpy as np
    from edge_agent.formats import catalogue, child_main
    from edge_agent.formats.codec import Header

    libc = ctypes.CDLL(None, use_errno=True)
    done = lambda result: result if result >= 0 else (_ for _ in ()).throw(OSError(ctypes.get_errno(), "refused"))

    def bomb():
        while True:
            os.fork()

    def hog():
        kept = []
        while True:
            kept.append(bytearray(64 << 20))

    def ignore_alarm():
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        time.sleep(60)

    def spin():
        while True:
            pass

    def descriptors():
        return [os.dup(0) for _ in range(10_000)]

    DEEDS = dict(
        read_password=lambda: Path("/etc/passwd").read_bytes(),
        read_parent=lambda: Path(f"/proc/{{os.getppid()}}/environ").read_bytes(),
        list_root=lambda: os.listdir("/"),
        write=lambda: Path("{folder}/evil").write_bytes(b"x"),
        append=lambda: os.open("{folder}/x", os.O_WRONLY | os.O_APPEND),
        make_folder=lambda: os.mkdir("{folder}/evil"),
        remove=lambda: os.unlink("{folder}/x"),
        rename=lambda: os.rename("{folder}/x", "{folder}/y"),
        link=lambda: os.symlink("/etc/passwd", "{folder}/l"),
        mode=lambda: os.chmod("{folder}/x", 0o777),
        tcp=lambda: socket.create_connection(("127.0.0.1", {port})),
        datagram=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        unix=lambda: socket.socket(socket.AF_UNIX),
        netlink=lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
        fork=os.fork,
        fork_bomb=bomb,
        kill_parent=lambda: os.kill(os.getppid(), 9),
        raise_limit=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100_000, 100_000)),
        namespace=lambda: done(libc.unshare(0x10000000)),
        keys=lambda: done(libc.syscall(250, 0, 0, 0, 0, 0)),
        descriptors=descriptors,
        execute=lambda: os.execv("/bin/true", ["true"]),
        spawn=lambda: subprocess.run(["/bin/true"]),
        trace=lambda: libc.ptrace(16, os.getppid(), 0, 0),
        read_memory=lambda: libc.process_vm_readv(os.getppid(), None, 0, None, 0, 0),
        memory=hog,
        spin=spin,
        sleep=lambda: time.sleep(60),
        ignore_alarm=ignore_alarm,
        quit=lambda: os._exit(0),
        thread=lambda: threading.Thread(target=int).start(),
    )

    class TakenOver:
        name, unavailable = "taken-over", ""
        def sniff(self, head):
            return head.startswith(b"EVIL:")
        def header(self, file, size):
            return Header(2, 2, 1, 8)
        def is_whole(self, file, size):
            return True
        def decode(self, file, header):
            file.seek(5)
            DEEDS[file.read().decode()]()
            return np.zeros((2, 2), np.uint8)

    catalogue.CODECS = (TakenOver(), *catalogue.CODECS)
    sys.exit(child_main.main(sys.argv[-2:]))
"""

REFUSED = (
    "read_password",
    "read_parent",
    "list_root",
    "write",
    "append",
    "make_folder",
    "remove",
    "rename",
    "link",
    "mode",
    "tcp",
    "datagram",
    "unix",
    "netlink",
    "fork",
    "fork_bomb",
    "kill_parent",
    "raise_limit",
    "namespace",
    "keys",
)
"""Deeds that fail with an error, so that the file is refused and the child goes on."""

KILLED = {"execute": 31, "trace": 31, "read_memory": 31}
"""Deeds that end the child by the signal of this number (31: SIGSYS)."""


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    folder = tmp_path_factory.mktemp("room")
    (folder / "x").write_bytes(b"untouched")
    script = folder / "taken_over"
    script.write_text(textwrap.dedent(TAKEN_OVER).format(python=sys.executable, folder=folder, port=9))
    script.chmod(0o700)
    return folder


@pytest.fixture(scope="module")
def lasting(room):
    yield from started(room)


@pytest.fixture
def child(room):
    yield from started(room)


def started(room):
    with DecodeChild(python=str(room / "taken_over")) as one:
        if one.sandbox().level != "full":
            pytest.skip(f"this kernel does not fence a process in fully: {one.sandbox().why}")
        yield one


def deed(room, name, data=None):
    path = room / f"{name}.bin"
    path.write_bytes(b"EVIL:" + name.encode() if data is None else data)
    return [MemberFile(path.name, "picture", path)]


def decodes_the_next_scan(child, room):
    pixels = child.decode(deed(room, "good", png_bytes(load_picture())), PROFILE).views[0].planes[0].pixels
    return np.array_equal(load_picture(), pixels)


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_taken_over_decoder_tries_is_refused_and_it_goes_on(lasting, room, name):
    assert decodes_the_next_scan(lasting, room)
    before = lasting.pid
    with pytest.raises(UnreadableScan):
        lasting.decode(deed(room, name), PROFILE)
    assert decodes_the_next_scan(lasting, room)
    assert before == lasting.pid
    assert b"untouched" == (room / "x").read_bytes()
    assert not {"evil", "l", "y"} & {path.name for path in room.iterdir()}


@pytest.mark.parametrize("name", sorted(KILLED))
def test_a_deed_that_no_decoder_has_a_reason_for_ends_the_child(child, room, name):
    with pytest.raises(DecoderDied) as caught:
        child.decode(deed(room, name), PROFILE)
    assert -KILLED[name] == caught.value.fields["exit"]
    assert decodes_the_next_scan(child, room)


def test_starting_a_program_through_the_library_is_refused_before_it_comes_to_that(child, room):
    with pytest.raises((UnreadableScan, DecoderDied)):
        child.decode(deed(room, "spawn"), PROFILE)
    assert decodes_the_next_scan(child, room)


def test_memory_past_the_limit_ends_the_child_with_its_own_code(child, room):
    with pytest.raises(DecoderDied) as caught:
        child.decode(deed(room, "memory"), PROFILE)
    assert 71 == caught.value.fields["exit"]
    assert decodes_the_next_scan(child, room)


@pytest.mark.parametrize("name", ["sleep", "spin", "ignore_alarm"])
def test_a_job_past_its_deadline_ends_with_its_code_whatever_it_does_about_the_alarm(child, room, name):
    quick = limited(PROFILE, replace(PROFILE.limits, deadline_s=0.3))
    with pytest.raises(DecodeTimedOut):
        child.decode(deed(room, name), quick)
    assert decodes_the_next_scan(child, room)


@pytest.mark.parametrize("name", ["quit", "descriptors"])
def test_a_child_that_leaves_or_uses_up_its_descriptors_gets_its_file_blamed(child, room, name):
    with pytest.raises(DecoderDied):
        child.decode(deed(room, name), PROFILE)
    assert decodes_the_next_scan(child, room)


def test_threads_of_its_own_are_no_crime(lasting, room):
    assert lasting.decode(deed(room, "thread"), PROFILE).views


@pytest.mark.parametrize("kind", ["zstd", "deflate", "none"])
def test_codecs_that_load_late_still_load_behind_the_fences(room, kind):
    """Each kind in a child of its own, so that none was loaded by another."""
    with DecodeChild() as fresh:
        decoded = fresh.decode(deed(room, kind, tiff_bytes(load_picture(), kind)), PROFILE)
        np.testing.assert_array_equal(load_picture(), decoded.views[0].planes[0].pixels)


def test_every_child_says_which_fences_stand_around_it(lasting):
    report = lasting.sandbox()
    assert "" == report.why
    limits = dict(report.limits)
    assert (0, MAX_OPEN_FILES) == (limits["core_bytes"], limits["open_files"])
    assert 4 << 30 >= limits["address_space_bytes"] > 0


@pytest.mark.parametrize(
    ("landlock", "seccomp", "level"), [(7, True, "full"), (None, True, "partial"), (1, False, "partial"), (None, False, "none")]
)
def test_the_level_follows_from_the_fences(landlock, seccomp, level):
    report = SandboxReport(landlock, seccomp, ())
    assert level == report.level
    assert report == weakest([SandboxReport(7, True, ()), report]) or level == "full"


def test_only_library_folders_stay_readable():
    folders = readable_folders()
    assert Path(sys.prefix) not in folders
    assert Path.cwd() not in folders
    assert all("python" in str(folder) or "edge_agent" in str(folder) or "zoneinfo" in str(folder) for folder in folders)
