"""Submissions that want to speak to somebody. There is nobody: the listeners that the tests put up hear nothing."""

from dlcourse_hostile import FULL, case, without

KEPT = "every answer is right, and nobody was reached"

CALL = """
import socket


def attempt(*ways):
    for way in ways:
        try:
            way()
        except (OSError, ValueError, RuntimeError):
            pass


def call(family, kind, address):
    with socket.socket(family, kind) as line:
        line.settimeout(1)
        line.connect(address)
        line.send(b"HOSTILE")


"""


def calling(hand, source):
    hand.add(CALL + hand.code(source))


@case(FULL, KEPT)
def tcp_to_this_machine(hand):
    calling(
        hand,
        """
        for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", socket.gethostname()):
            attempt(lambda: call(socket.AF_INET, socket.SOCK_STREAM, (host, $PORT)),
                    lambda: call(socket.AF_INET6, socket.SOCK_STREAM, (host, $PORT)),
                    lambda: socket.create_connection((host, $PORT), 1).send(b"HOSTILE"))
        """,
    )


@case(FULL, KEPT)
def udp_and_raw(hand):
    calling(
        hand,
        """
        attempt(lambda: call(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", $PORT)),
                lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
                lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
                lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
                lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).connect((2, 1)))
        """,
    )


@case(FULL, KEPT)
def unix_sockets(hand):
    calling(
        hand,
        """
        for address in ("$UNIX", "\\0$ABSTRACT", "/var/run/docker.sock", "/run/dbus/system_bus_socket"):
            attempt(lambda: call(socket.AF_UNIX, socket.SOCK_STREAM, address),
                    lambda: call(socket.AF_UNIX, socket.SOCK_DGRAM, address))
        """,
    )


@case(FULL, KEPT)
def names_and_pages(hand):
    calling(
        hand,
        """
        import urllib.request
        attempt(lambda: socket.getaddrinfo("HOSTILE.example.org", 80), lambda: socket.gethostbyname("localhost"),
                lambda: urllib.request.urlopen("http://127.0.0.1:$PORT/HOSTILE", timeout=1),
                lambda: urllib.request.urlopen("file://$HOME/secret.txt", timeout=1))
        """,
    )


@case(without("sigmoid"), "an answer from the network does not come")
def answer_by_telephone(hand):
    hand.answer(
        "sigmoid",
        """
        import socket


        def sigmoid(x):
            line = socket.create_connection(("127.0.0.1", $PORT), 1)
            line.send(b"HOSTILE")
            return torch.sigmoid(x)
        """,
    )


@case(FULL, KEPT)
def listens_itself(hand):
    calling(
        hand,
        """
        def listen(family, address):
            server = socket.socket(family, socket.SOCK_STREAM)
            server.bind(address)
            server.listen()
            globals()["server", family] = server

        attempt(lambda: listen(socket.AF_INET, ("0.0.0.0", 0)), lambda: listen(socket.AF_UNIX, "here.sock"),
                lambda: listen(socket.AF_UNIX, "\\0$MARK"), lambda: socket.socketpair())
        """,
    )
