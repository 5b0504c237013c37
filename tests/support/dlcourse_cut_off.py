"""A machine without a network, and a list of who tried to use one:

    python dlcourse_cut_off.py LIST COMMAND...

The command runs in a network namespace that has nothing but the loopback, and so do its children. Each Python among
them adds a line to the file LIST when it looks up a name or connects to an address that is not this machine's.
Ends with 77 and a reason where no such namespace can be made.
"""

import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

SUPPORT = Path(__file__).parent
IMPOSSIBLE = 77
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
SITE = """
import os
import sys

LOOKED_UP = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}
TOLD = {"socket.connect", "socket.sendto", "socket.sendmsg"}
HERE = ("localhost", "127.", "::1", "0.0.0.0", "::")


def watch(event, arguments):
    if event in LOOKED_UP:
        place = arguments[0]
    elif event in TOLD:
        place = arguments[1]
    else:
        return
    if isinstance(place, tuple) and place:
        place = place[0]
    elif event in TOLD:  # a path of a Unix socket, or where a connected one leads
        return
    place = place.decode(errors="replace") if isinstance(place, bytes) else place
    if place and not str(place).startswith(HERE):
        line = f"{event} {place} by {sys.orig_argv[:4]}\\n".encode()
        descriptor = os.open(os.environ["DLCOURSE_TEST_WIRE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(descriptor, line)
        os.close(descriptor)


sys.addaudithook(watch)
"""


def leave_the_network() -> None:
    sys.path.insert(0, str(SUPPORT.parents[1]))
    from dlcourse.course.grading.jail import kernel, namespaces

    number, group = os.geteuid(), os.getegid()
    kernel.libc("unshare", namespaces.NEW["network"] | (namespaces.NEW["user"] if number else 0))
    if number:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{number} {number} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sH14x", b"lo", 0)
        (flags,) = struct.unpack("16xH14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, asked))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def main() -> None:
    wire, command = Path(sys.argv[1]).absolute(), sys.argv[2:]
    site = wire.with_name("site")
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(SITE)
    try:
        leave_the_network()
    except OSError as error:
        print(f"no network namespace can be made here: {error}", file=sys.stderr)
        sys.exit(IMPOSSIBLE)
    os.environ["DLCOURSE_TEST_WIRE"] = str(wire)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
