"""A real server on a free port of this computer, as the site runs it."""

import socket
import threading
import time
from contextlib import contextmanager

import uvicorn

from pipeline.site.connections import Connection


@contextmanager
def answering(app):
    """Where the server answers for a program."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, http=Connection, lifespan="off", port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
