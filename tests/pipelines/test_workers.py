"""The pool of workers: whose worker is stopped, what a worker is told, and that none outlives the pool.

What a runner makes of it is tests/pipelines/test_same_bytes.py and tests/flink.
"""

import json
import multiprocessing
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess

import psutil
import pytest

pytest.importorskip("apache_beam")

import grpc
from apache_beam.portability.api import (
    beam_fn_api_pb2,
    beam_fn_api_pb2_grpc,
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
)

from pipelines import workers
from pipelines.workers import WorkerPool, worker_environment
from tests.faults.worker_pool import worker_pool


def start_sleeper(environment) -> BaseProcess:
    sleeper = multiprocessing.get_context("forkserver").Process(target=time.sleep, args=(600,), daemon=True)
    sleeper.start()
    return sleeper


@pytest.fixture
def serve():
    """Serves a pool on a free port; gives its address."""
    servers, pools = [], []

    def start(pool: WorkerPool) -> str:
        server = grpc.server(ThreadPoolExecutor(4))
        beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
        port = server.add_insecure_port("localhost:0")
        server.start()
        servers.append(server)
        pools.append(pool)
        return f"localhost:{port}"

    yield start
    for server, pool in zip(servers, pools, strict=True):
        server.stop(None).wait()
        pool.end_all()


def call(channel, name: str, worker: str):
    stub = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
    request = {"StartWorker": beam_fn_api_pb2.StartWorkerRequest, "StopWorker": beam_fn_api_pb2.StopWorkerRequest}[name]
    return getattr(stub, name)(request(worker_id=worker), timeout=30)


def living(pool: WorkerPool) -> list[int]:
    return sorted(worker.pid for worker in pool._workers.values() if worker.is_alive())


def test_two_callers_with_one_id_stop_each_their_own(serve, monkeypatch):
    monkeypatch.setattr(workers, "start_worker", start_sleeper)
    pool = WorkerPool(os.environ)
    address = serve(pool)
    # An option of its own, or gRPC would let both share one connection.
    channels = [grpc.insecure_channel(address, options=[("caller", n)]) for n in range(2)]
    started = []
    for channel in channels:
        assert call(channel, "StartWorker", "1-1").error == ""
        started.append(set(living(pool)).difference(*started))
    first, second = started
    call(channels[1], "StopWorker", "1-1")
    assert set(living(pool)) == first
    call(channels[1], "StopWorker", "1-1")  # again, and by the wrong caller: nothing
    assert set(living(pool)) == first
    call(channels[0], "StopWorker", "1-1")
    assert living(pool) == []
    assert len(first | second) == 2
    for channel in channels:
        channel.close()


def test_a_worker_that_cannot_start_is_told_to_the_runner(serve, monkeypatch):
    def start_none(environment):
        raise BlockingIOError("fork: no process is left")

    monkeypatch.setattr(workers, "start_worker", start_none)
    with grpc.insecure_channel(serve(WorkerPool(os.environ))) as channel:
        assert "BlockingIOError: fork" in call(channel, "StartWorker", "1-1").error


class Provision(beam_provision_api_pb2_grpc.ProvisionServiceServicer):
    """What a runner says of its job to the worker that asks."""

    def GetProvisionInfo(self, request, context):
        asked = dict(context.invocation_metadata())
        info = beam_provision_api_pb2.ProvisionInfo()
        info.pipeline_options.update({"beam:option:asked_by:v1": asked["worker_id"]})
        return beam_provision_api_pb2.GetProvisionInfoResponse(info=info)


def test_a_worker_is_told_where_to_report_and_the_jobs_options():
    server = grpc.server(ThreadPoolExecutor(1))
    beam_provision_api_pb2_grpc.add_ProvisionServiceServicer_to_server(Provision(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    request = beam_fn_api_pb2.StartWorkerRequest(worker_id="7-1")
    request.control_endpoint.url = "localhost:1"
    request.logging_endpoint.url = "localhost:2"
    request.provision_endpoint.url = f"localhost:{port}"
    told = worker_environment(request)
    server.stop(None)
    assert json.loads(told.pop("PIPELINE_OPTIONS")) == {"beam:option:asked_by:v1": "7-1"}
    assert told == {
        "WORKER_ID": "7-1",
        "CONTROL_API_SERVICE_DESCRIPTOR": 'url: "localhost:1"\n',
        "LOGGING_API_SERVICE_DESCRIPTOR": 'url: "localhost:2"\n',
    }


SLEEPERS = """
import os, sys, time
if "sdk_worker_main" in " ".join(sys.orig_argv): os.register_at_fork(after_in_child=lambda: time.sleep(600))
"""
"""Python runs it at the start of the process that workers are forked from: each of them sleeps."""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_the_pool(number, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SLEEPERS)
    with worker_pool(PYTHONPATH=str(tmp_path)) as address, grpc.insecure_channel(address) as channel:
        call(channel, "StartWorker", "1-1")
        (pool,) = [child for child in psutil.Process().children() if "workers" in child.cmdline()]
        started = pool.children(recursive=True)
        assert len([one for one in started if "sdk_worker_main" in " ".join(one.cmdline())]) == 2  # it, and its parent
        pool.send_signal(number)
        assert pool.wait(60) == 0
        assert psutil.wait_procs(started, timeout=10)[1] == []
