"""The filter as the kernel would run it: an interpreter of its few instructions, asked about every number and argument."""

import ctypes
import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.formats.syscall_filter import ALLOWED, CHECKED, DEADLY, MACHINES, filter_program

PID = 4711
ALLOW, KILL, REFUSE, NOT_THERE = "allow", "kill", errno.EPERM, errno.ENOSYS
PROGRAMS = {name: filter_program(machine, PID) for name, machine in MACHINES.items()}


def verdict(name, number, arguments=(0, 0, 0, 0, 0, 0), audit=None):
    """Run the program on ``struct seccomp_data`` as the kernel does."""
    data = struct.pack("<iIQ6Q", number, audit or MACHINES[name].audit, 0, *arguments)
    program, at, value = PROGRAMS[name], 0, 0
    while True:
        code, if_true, if_false, operand = struct.unpack_from("<HBBI", program, at * 8)
        at += 1
        if code == 0x20:
            value = struct.unpack_from("<I", data, operand)[0]
        elif code == 0x06:
            return {0x7FFF0000: ALLOW, 0x80000000: KILL}.get(operand) or operand & 0xFFFF
        else:
            taken = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[code]
            at += if_true if taken else if_false


def call(name, table, word, *arguments):
    number = table[word][MACHINES[name].column]
    return verdict(name, number, (*arguments, *(0,) * (6 - len(arguments))))


@pytest.mark.parametrize("name", MACHINES)
def test_every_number_that_no_table_names_is_refused(name):
    known = {numbers[MACHINES[name].column] for table in (ALLOWED, CHECKED, DEADLY) for numbers in table.values()}
    assert {REFUSE} == {verdict(name, number) for number in range(600) if number not in known}


@pytest.mark.parametrize("name", MACHINES)
def test_every_number_stands_in_one_table_once(name):
    column = MACHINES[name].column
    numbers = [entry[column] for table in (ALLOWED, CHECKED, DEADLY) for entry in table.values() if entry[column] >= 0]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("name", MACHINES)
def test_each_table_means_what_it_says(name):
    assert {ALLOW} == {call(name, ALLOWED, word) for word, numbers in ALLOWED.items() if numbers[MACHINES[name].column] >= 0}
    assert {KILL} == {call(name, DEADLY, word) for word in DEADLY}


@pytest.mark.parametrize("name", MACHINES)
def test_a_call_in_another_architectures_numbering_ends_the_process(name):
    assert verdict(name, 1, audit=0x40000003) == KILL
    assert verdict(name, 0x40000000) == KILL
    assert verdict(name, 0xFFFFFFFF - (1 << 32)) == KILL


@pytest.mark.parametrize("name", MACHINES)
def test_files_are_opened_for_reading_only(name):
    assert call(name, CHECKED, "openat", -100 & 0xFFFFFFFF, 0, 0o2000000) == ALLOW
    for flags in (0o1, 0o2, 0o3, 0o100, 0o1000, 0o20200000, 0o101):
        assert call(name, CHECKED, "openat", 0, 0, flags) == REFUSE


@pytest.mark.parametrize("name", MACHINES)
def test_threads_are_made_and_processes_are_not(name):
    assert call(name, CHECKED, "clone", 0x3D0F00) == ALLOW
    assert call(name, CHECKED, "clone", 0x01200011) == REFUSE
    assert call(name, CHECKED, "clone3", 0) == NOT_THERE


@pytest.mark.parametrize("name", MACHINES)
def test_signals_and_limits_reach_the_process_itself_only(name):
    assert call(name, CHECKED, "tgkill", PID) == ALLOW
    assert call(name, CHECKED, "tgkill", PID + 1) == REFUSE
    assert call(name, CHECKED, "prlimit64", 0) == ALLOW
    assert call(name, CHECKED, "prlimit64", PID + 1) == REFUSE
    assert call(name, CHECKED, "fcntl", 3, 1033) == ALLOW
    assert call(name, CHECKED, "fcntl", 3, 8) == REFUSE  # F_SETOWN would send signals to others


@given(name=st.sampled_from(sorted(MACHINES)), number=st.integers(0, 2**31 - 1), arguments=st.tuples(*[st.integers(0, 2**64 - 1)] * 6))
def test_the_program_ends_for_every_call(name, number, arguments):
    assert verdict(name, number, arguments) in (ALLOW, KILL, REFUSE, NOT_THERE)


@pytest.mark.parametrize("name", MACHINES)
def test_the_numbers_are_those_of_libseccomp(name):
    try:
        resolve = ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name_arch
    except OSError:
        pytest.skip("libseccomp is not installed: the table cannot be compared with a second source")
    machine = MACHINES[name]
    for table in (ALLOWED, CHECKED, DEADLY):
        for word, numbers in table.items():
            assert max(-1, resolve(ctypes.c_uint32(machine.audit), word.encode())) == numbers[machine.column], word
