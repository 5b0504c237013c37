"""Which kernel calls the jailed process may make: the list below and no other (seccomp(2), kernel doc seccomp_filter).

A call that is not listed fails with EPERM, a plain PermissionError for an honest program; calls younger than clone3
fail with ENOSYS, as on an older kernel, so that libraries turn to the call that they used before (glibc starts its
threads with clone). Calls of a foreign architecture (i386, x32) end the process. So there is no way to another process
(fork, exec, kill, ptrace), to a socket beyond those already open, to another file system, or past the memory limit
(memfd_create, shmget). Of sockets only a connected pair of its own may be made (AF_UNIX; asyncio wants one). Arguments
that are pointers cannot be looked at: openat2, sendmsg and clone3 are out for that.
"""

import ctypes
import os
import platform
import struct
from functools import cache

from dlcourse.course.grading.jail.kernel import PR_SET_SECCOMP, prctl

# name, number on x86_64, number on aarch64 (- where there is none)
ALLOWED = """
read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69, pwritev 296 70
close 3 57, close_range 436 436, lseek 8 62, flock 73 32
dup 32 23, dup2 33 -, dup3 292 24, pipe 22 -, pipe2 293 59
stat 4 -, lstat 6 -, fstat 5 80, newfstatat 262 79, statx 332 291, statfs 137 43, fstatfs 138 44
access 21 -, faccessat 269 48, faccessat2 439 439, getdents64 217 61, readlink 89 -, readlinkat 267 78
getcwd 79 17, chdir 80 49, fchdir 81 50, umask 95 166
mkdir 83 -, mkdirat 258 34, rmdir 84 -, unlink 87 -, unlinkat 263 35, rename 82 -, renameat 264 38, renameat2 316 276
ftruncate 77 46, fsync 74 82, fdatasync 75 83, fadvise64 221 223, sendfile 40 71
copy_file_range 326 285
mmap 9 222, munmap 11 215, mremap 25 216, mprotect 10 226, madvise 28 233, brk 12 214, msync 26 227, mincore 27 232
membarrier 324 283, get_mempolicy 239 236
sched_yield 24 124, sched_getaffinity 204 123, sched_getparam 143 121, sched_getscheduler 145 120
sched_get_priority_max 146 125, sched_get_priority_min 147 126, getcpu 309 168
nanosleep 35 101, clock_nanosleep 230 115, clock_gettime 228 113, clock_getres 229 114, gettimeofday 96 169
time 201 -, times 100 153, getrusage 98 165, getrlimit 97 163, sysinfo 99 179, uname 63 160
getitimer 36 102, setitimer 38 103, alarm 37 -, timerfd_create 283 85, timerfd_settime 286 86, timerfd_gettime 287 87
getpid 39 172, getppid 110 173, gettid 186 178, getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177
getresuid 118 148, getresgid 120 150, getgroups 115 158, getpgrp 111 -, getpgid 121 155, getsid 124 156
exit 60 93, exit_group 231 94, wait4 61 260, waitid 247 95
set_tid_address 218 96, set_robust_list 273 99, rseq 334 293, futex 202 98, arch_prctl 158 -
rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigsuspend 130 133, rt_sigpending 127 136
rt_sigtimedwait 128 137, sigaltstack 131 132, restart_syscall 219 128, pause 34 -
getrandom 318 278
recvfrom 45 207, recvmsg 47 212, shutdown 48 210, getsockname 51 204, getpeername 52 205, getsockopt 55 209
poll 7 -, ppoll 271 73, select 23 -, pselect6 270 72, epoll_create 213 -, epoll_create1 291 20, epoll_ctl 233 21
epoll_wait 232 -, epoll_pwait 281 22, eventfd2 290 19
"""

# What only changes a file's name or dress: Landlock does not govern most of these, so they need a root of our own. And
# fallocate, which takes a gigabyte of disk in a millisecond: more than whoever looks at a shared disk can bound.
IN_A_ROOT_OF_ITS_OWN = """
link 86 -, linkat 265 37, symlink 88 -, symlinkat 266 36, truncate 76 45
chmod 90 -, fchmod 91 52, fchmodat 268 53, utimensat 280 88, fallocate 285 47
"""

CLONE_THREAD = 0x00010000
CLONE_NEW = 0x7E020080  # every namespace flag
THREADS_ONLY = (CLONE_THREAD | CLONE_NEW, CLONE_THREAD)
PLAIN = 0xFFFFFFFF
# Calls allowed with some arguments only: number of the argument, and (mask, value) pairs of which one must fit.
# The kernel itself reads the lower 32 bits of all but sendto's, an address, which must be null in both halves.
IOCTLS = (0x5401, 0x5421, 0x541B, 0x5450, 0x5451)  # TCGETS (isatty), FIONBIO, FIONREAD, FIONCLEX, FIOCLEX
AF_UNIX = 1
# Neither leases nor F_SETOWN, which sends a signal to any process of the same user.
FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030)  # F_DUPFD to F_SETLKW, F_OFD_GETLK to F_OFD_SETLKW, F_DUPFD_CLOEXEC
O_TMPFILE = 0x00400000
PRCTLS = (15, 16, 0x53564D41)  # the name of a thread, set and get; the name of a piece of memory

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000
CLONE3 = 435
EPERM, ENOSYS = 1, 38
ALLOW, ERROR, KILL = 0x7FFF0000, 0x00050000, 0x80000000  # SECCOMP_RET_ALLOW, _ERRNO, _KILL_PROCESS
# struct seccomp_data: the number at 0, the architecture at 4, six arguments of 8 bytes from 16 on, low half first.
LOAD, EQUAL, AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06


@cache
def _numbers(table: str, machine: str) -> dict[str, int]:
    column = 1 if machine == "x86_64" else 2
    rows = [entry.split() for line in table.strip().splitlines() for entry in line.split(",")]
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def _conditions(machine: str, own: int, own_root: bool) -> dict[int, tuple[int, list[tuple[int, int]]]]:
    one_of = {
        "clone 56 220": (0, [THREADS_ONLY]),
        "kill 62 129": (0, [(PLAIN, own)]),
        "tgkill 234 131": (0, [(PLAIN, own)]),
        "prlimit64 302 261": (0, [(PLAIN, 0), (PLAIN, own)]),
        "ioctl 16 29": (1, [(PLAIN, request) for request in IOCTLS]),
        "fcntl 72 25": (1, [(PLAIN, command) for command in FCNTLS]),
        # A file without a name would escape whoever counts the files; a tmpfs of our own counts it.
        "open 2 -": (1, [(0 if own_root else O_TMPFILE, 0)]),
        "openat 257 56": (2, [(0 if own_root else O_TMPFILE, 0)]),
        "prctl 157 167": (0, [(PLAIN, option) for option in PRCTLS]),
        "socketpair 53 199": (0, [(PLAIN, AF_UNIX)]),  # two ends in one process, as asyncio's loop has them
    }
    return {number: rule for row, rule in one_of.items() for number in _numbers(row, machine).values()}


def program(machine: str, own: int, own_root: bool) -> list[tuple[int, int, int, int]]:
    """The filter as BPF instructions (code, jump if true, jump if false, constant)."""
    allowed = _numbers(ALLOWED + (IN_A_ROOT_OF_ITS_OWN.strip() if own_root else ""), machine)
    lines = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, AUDIT_ARCH[machine]), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    if machine == "x86_64":
        lines += [(AT_LEAST, 0, 1, X32_BIT), (RETURN, 0, 0, KILL)]
    for number in allowed.values():
        lines += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    for number, (argument, fits) in _conditions(machine, own, own_root).items():
        tests = []
        for mask, value in fits:
            tests += [(LOAD, 0, 0, 16 + 8 * argument), (AND, 0, 0, mask), (EQUAL, 0, 1, value), (RETURN, 0, 0, ALLOW)]
        lines += [(EQUAL, 0, len(tests) + 1, number), *tests, (RETURN, 0, 0, ERROR | EPERM)]
    (sendto,) = _numbers("sendto 44 206", machine).values()
    null = [(LOAD, 0, 0, 48), (EQUAL, 0, 3, 0), (LOAD, 0, 0, 52), (EQUAL, 0, 1, 0), (RETURN, 0, 0, ALLOW)]
    lines += [(EQUAL, 0, len(null) + 1, sendto), *null, (RETURN, 0, 0, ERROR | EPERM)]
    return [*lines, (AT_LEAST, 0, 1, CLONE3), (RETURN, 0, 0, ERROR | ENOSYS), (RETURN, 0, 0, ERROR | EPERM)]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def restrict(own_root: bool) -> None:
    """From here on this process makes the listed calls only. It needs no_new_privs and cannot be undone."""
    lines = program(platform.machine(), os.getpid(), own_root)
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    mode_filter = 2
    prctl(PR_SET_SECCOMP, mode_filter, ctypes.byref(_Program(len(lines), ctypes.addressof(code))))
