"""A person's server on a hub has a port that no other account can take: not before it starts, not after it has ended.

JupyterHub looks for a free port, lets go of it, and some seconds later sends the person's browser there, with the
cookies of their log-in. Every account of the machine may listen on a port: one that was quicker than the server, or
that took the port in the half minute in which the hub had not noticed the server's end, would be sent those cookies.

So the hub, which is root, keeps a socket of its own bound to the port, from before the start until its proxy sends
nobody there any more, and the server keeps another for as long as it lives, for the hub may be away. They do not
listen. They are marked SO_REUSEPORT and belong to the person, and such a port is shared with sockets of the same owner
and the same mark only (Linux, man 7 socket). They hold all addresses, of IPv4 and IPv6 at once: of one address alone
Linux asks the newest socket on the port, which may be a stranger's on another address.

    class HeldPortSpawner(HeldPort, SystemdSpawner): ...      the hub's half, in jupyterhub_config.py
    python -m dlcourse.course.server_port OPTION ...          the server's half: jupyterhub-singleuser, with the mark
"""

import errno
import os
import pwd
import runpy
import socket
import sys
from urllib.parse import urlsplit


class NoPort(Exception):
    """No server was started. JupyterHub shows the message to the person."""

    jupyterhub_message = (
        "Your server was not started: this machine has no free port. Nothing of yours is lost. "
        "Try again in some minutes, and tell whoever runs this hub."
    )


def hold(port: int, owner: int) -> socket.socket:
    """A socket bound to a port (0: one that is free) that only sockets of the account number `owner` may share.

    Raises OSError where the port is taken, by another account or by a socket without the mark; PermissionError unless
    it is root who asks for another account.
    """
    try:
        held, everywhere = socket.socket(socket.AF_INET6), "::"
        held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    except OSError as error:
        if error.errno != errno.EAFNOSUPPORT:  # a machine without IPv6
            raise
        held, everywhere = socket.socket(socket.AF_INET), "0.0.0.0"
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        os.fchown(held.fileno(), owner, -1)  # before it is bound: Linux notes a port's owner then
        held.bind((everywhere, port))
    except OSError:
        held.close()
        raise
    return held


class HeldPort:
    """Goes before a class of spawner that starts servers on this machine, as the account of the person's name."""

    held: socket.socket | None = None
    ending = False

    def get_env(self) -> dict[str, str]:
        """What the server is told, its port among it, by any spawner's `start`: the last moment to choose that port."""
        self.release()
        try:
            self.held = hold(0, self._owner())
        except OSError as error:
            raise NoPort(f"no port for {self.user.name}'s server: {error}") from error
        self.port = self.held.getsockname()[1]
        return super().get_env()

    async def poll(self) -> int | None:
        """None while the server runs. After a restart of the hub its port is held again.

        Where another has it, the server let go of it in the meantime: it is ended, and nobody is sent to the other.
        """
        status = await super().poll()
        if status is not None or self.held or self.ending or not self.server:
            return status
        port, name = self.server.port, self.user.name
        try:
            self.held = hold(port, self._owner())
            return None
        except OSError as error:
            if error.errno != errno.EADDRINUSE:  # the hub's own trouble: try again at the next poll
                self.log.error("the port %i of %s's server is not held yet: %s", port, name, error)
                return None
            self.log.error("%s's server does not have its port %i: %s", name, port, error)
        self.ending = True  # to stop is to poll, too
        try:
            await self.stop(now=True)
        finally:  # should it fail, the next poll tries again
            self.ending = False
        return 1

    def run_post_stop_hook(self) -> object:
        """The hub calls this when the proxy sends nobody to the server any more, and it has ended."""
        self.release()
        return super().run_post_stop_hook()

    def release(self) -> None:
        if self.held:
            self.held.close()
        self.held = None

    def _owner(self) -> int:
        return pwd.getpwnam(self.user.name).pw_uid


def share_ports() -> None:
    """Let all that this process listens on through Tornado, as Jupyter does, have the mark."""
    from tornado import netutil

    plain = netutil.bind_sockets

    def bind_sockets(*place, **options) -> list[socket.socket]:
        return plain(*place, **{**options, "reuse_port": True})

    netutil.bind_sockets = bind_sockets  # before the modules that use it import it by name


def hold_own_port() -> socket.socket | None:
    """The server's own hold, by the address that the hub gave it; None when there is none."""
    port = urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL", "")).port
    try:
        return hold(port, os.getuid()) if port else None
    except OSError as error:
        sys.exit(f"dlcourse: the port {port} is somebody else's ({error}). Start the server again.")


if __name__ == "__main__":
    share_ports()
    held = hold_own_port()  # until this process ends
    runpy.run_module("jupyterhub.singleuser", run_name="__main__", alter_sys=True)
