"""An S3 server of its own on the loopback (moto, in its own process), for tests and for what tests start.

Left out on purpose: checking of keys and signatures; moto takes any.
"""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from tests.waiting import free_port, wait_until


@dataclass(frozen=True)
class S3Server:
    endpoint: str
    process: int
    """Its id: to kill or stop it."""

    def make_bucket(self, name: str) -> None:
        request = urllib.request.Request(f"{self.endpoint}/{name}", method="PUT")
        urllib.request.urlopen(request, timeout=10).close()


def environment(endpoint: str) -> dict[str, str]:
    """What a user's shell would hold to work with the server (or proxy) at `endpoint`."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@contextmanager
def s3_server() -> Iterator[S3Server]:
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    # Its own environment: keys or endpoints of the caller's store are none of its business.
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
    try:
        url = f"http://127.0.0.1:{port}/moto-api/"
        wait_until(partial(_answers, url), f"an answer from {url}", process=process)
        yield S3Server(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    """Whether the server answers anything."""
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True
