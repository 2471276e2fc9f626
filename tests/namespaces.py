"""A network namespace of a test's own, with a link to it that can be cut."""

import contextlib
import os
import shutil
import subprocess

import pytest


@contextlib.contextmanager
def namespace(name, net):
    """A namespace with a link to this one, whose end here is `<name>0`; the addresses of this end and of that, .1 and
    .2 of the first three numbers `net`. Skips where there may be none."""
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("a network namespace needs root and iproute2's `ip`")
    made = [f"netns add {name}", f"link add {name}0 type veth peer name eth0 netns {name}"]
    made += [f"addr add {net}.1/24 dev {name}0", f"link set {name}0 up"]
    inside = [f"addr add {net}.2/24 dev eth0", "link set eth0 up", "link set lo up"]
    for command in [*made, *(f"-n {name} {one}" for one in inside)]:
        ip(command)
    try:
        yield f"{net}.1", f"{net}.2"
    finally:
        ip(f"netns delete {name}")


def ip(command):
    """Runs iproute2's `ip`."""
    subprocess.run(["ip", *command.split()], check=True)
