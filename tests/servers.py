"""A real server on a free port of this computer, as the site runs it."""

import socket
import threading
import time
from contextlib import contextmanager

from pipeline import app as program


def free_port():
    """A port of this computer that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def answering(app):
    """Where the server answers for a program."""
    with program._listening(program.LOCAL, 0) as listening:
        port = listening.getsockname()[1]
        server = program._server(app)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join()
