"""A TCP relay before a real server, which changes or cuts what goes through it; and servers that are no Neo4j."""

import select
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Change = Callable[[bytes], bytes]
"""Gets what came, returns what is passed on; b"" cuts the connection."""


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
                    passed = change(data) if data else b""
                    if not passed:
                        return
                    sink.sendall(passed)

    with listening(handle) as own:
        yield f"bolt://127.0.0.1:{own}"
