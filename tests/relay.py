"""A TCP relay before a real server, which changes or cuts what goes through it; and servers that are no Neo4j."""

import select
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Change = Callable[[bytes], bytes | None]
"""Gets what came, returns what is passed on: b"" cuts the connection, None passes nothing on and says nothing."""


class ResetError(Exception):
    """Raised by a change, it resets the connection: both ends are told that it broke, not that it ended."""


@contextmanager
def listening(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """Call `handle` in a thread with each connection to a free port of loopback; yields the port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            # Who connects may go at any time.
            with suppress(OSError):
                handle(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as found:
        serving = threading.Thread(target=found.serve_forever, args=(0.02,))
        serving.start()
        try:
            yield found.server_address[1]
        finally:
            found.shutdown()
            serving.join()


@contextmanager
def relay(url: str, *, sent: Change = bytes, answered: Change = bytes) -> Iterator[str]:
    """Pass on what goes to and from the server at `url`, changed by the two functions; yields the address to use."""
    port = int(url.rpartition(":")[2])

    def handle(client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as real:
            ways = {client: (real, sent), real: (client, answered)}
            while True:
                for source in select.select(list(ways), [], [])[0]:
                    sink, change = ways[source]
                    data = source.recv(65_536)
                    try:
                        passed = change(data) if data else b""
                    except ResetError:
                        for end in ways:
                            # Closed without waiting, it sends RST in the place of FIN.
                            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        return
                    if passed is None:
                        continue
                    if not passed:
                        return
                    sink.sendall(passed)

    with listening(handle) as own:
        yield f"bolt://127.0.0.1:{own}"
