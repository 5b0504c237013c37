"""A person's server on a hub has a port that no other account can take: not before it starts, not after it has ended.

JupyterHub looks for a free port, lets go of it, and some seconds later sends the person's browser there, with the
cookies of their log-in. Every account of the machine may listen on a port: one that was quicker than the server, or
that took the port in the half minute in which the hub had not noticed the server's end, would be sent those cookies.

So the hub, which is root, keeps a socket of its own bound to the port, from before the start until its proxy sends
nobody there any more. It does not listen. It is marked SO_REUSEPORT and belongs to the person, and such a port is
shared with sockets of the same owner and the same mark only (Linux, man 7 socket).

    class HeldPortSpawner(HeldPort, SystemdSpawner): ...      the hub's half, in jupyterhub_config.py
    python -m dlcourse.course.server_port OPTION ...          the server's half: jupyterhub-singleuser, with the mark
"""

import os
import pwd
import runpy
import socket


class NoPort(Exception):
    """No server was started. JupyterHub shows the message to the person."""

    jupyterhub_message = (
        "Your server was not started: this machine has no free port. Nothing of yours is lost. "
        "Try again in some minutes, and tell whoever runs this hub."
    )


def hold(port: int, owner: int, address: str = "127.0.0.1") -> socket.socket:
    """A socket bound to a port (0: one that is free) that only sockets of the account number `owner` may share.

    Ports of all addresses (0.0.0.0 and ::) are refused to others with it. Raises OSError where the port is taken, by
    another account or by a socket without the mark; PermissionError unless it is root who asks for another account.
    """
    held = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        os.fchown(held.fileno(), owner, -1)  # before it is bound: Linux notes a port's owner then
        held.bind((address, port))
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
            self.held = hold(0, self._owner(), self.ip)
        except OSError as error:
            raise NoPort(f"no port for {self.user.name}'s server: {error}") from error
        self.port = self.held.getsockname()[1]
        return super().get_env()

    async def poll(self) -> int | None:
        """None while the server runs. After a restart of the hub its port is held again.

        Where that fails, the server let go of it in the meantime and another has it: the server is ended.
        """
        status = await super().poll()
        if status is not None or self.held or self.ending or not self.server:
            return status
        try:
            self.held = hold(self.server.port, self._owner(), self.server.ip)
            return None
        except OSError as error:
            self.log.error("%s's server does not have its port %i: %s", self.user.name, self.server.port, error)
        self.ending = True  # to stop is to poll, too
        await self.stop(now=True)
        return 1

    def run_post_stop_hook(self) -> object:
        """The hub calls this when the proxy sends nobody to the server any more, and it has ended."""
        self.release()
        return super().run_post_stop_hook()

    def release(self) -> None:
        if self.held:
            self.held.close()
        self.held, self.ending = None, False

    def _owner(self) -> int:
        return pwd.getpwnam(self.user.name).pw_uid


def share_ports() -> None:
    """Let all that this process listens on through Tornado, as Jupyter does, have the mark."""
    from tornado import netutil

    plain = netutil.bind_sockets

    def bind_sockets(*place, **options) -> list[socket.socket]:
        return plain(*place, **{**options, "reuse_port": True})

    netutil.bind_sockets = bind_sockets  # before the modules that use it import it by name


if __name__ == "__main__":
    share_ports()
    runpy.run_module("jupyterhub.singleuser", run_name="__main__", alter_sys=True)
