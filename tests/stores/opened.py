"""A store for a test: a bucket of its own in the server, behind a proxy that counts and fails on purpose."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

import pytest

from tests.stores.faulty_proxy import FaultyProxy, Served
from tests.stores.s3 import S3Server, environment
from transforms import store_clients
from transforms.storage import Storage, storage_for

PATIENCE = 1.0


class Store(NamedTuple):
    storage: Storage
    proxy: FaultyProxy
    uri: str
    """A bucket of the test's own."""

    def asked(self) -> list[tuple[str, str]]:
        """(method, range) of what was asked since the last look, LIST for listings."""
        return [("LIST" if is_listing(s) else s.method, s.range) for s in self.proxy.take_log()]


def is_listing(served: Served) -> bool:
    return "list-type" in served.query


def make_store(scheme: str, server: S3Server, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> Store:
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    found = environment(proxy.endpoint) if scheme == "s3" else {"STORAGE_EMULATOR_HOST": proxy.endpoint}
    for name, value in {**found, store_clients.PATIENCE: str(PATIENCE)}.items():
        monkeypatch.setenv(name, value)
    bucket = f"pool{time.monotonic_ns()}"
    server.make_bucket(bucket)
    proxy.set_faults()
    proxy.take_log()
    uri = f"{scheme}://{bucket}"
    return Store(storage_for(uri), proxy, uri)
