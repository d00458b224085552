"""`beamsift workers`: a pool of Python workers for the EXTERNAL environment of Flink and other portable runners.

Beam's own `worker_pool_main` starts whatever `python` comes first on the PATH, which hangs the job where that one lacks
Beam; it hands its workers neither pipeline options nor a log, and leaves them behind when it is terminated.
Left out on purpose: fetching artifacts; a worker has the pool's own packages, the submitting side must have the same.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from typing import Any

import grpc
from apache_beam.portability.api import (
    beam_fn_api_pb2,
    beam_fn_api_pb2_grpc,
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
)
from google.protobuf.struct_pb2 import Struct

from pipelines.worker_processes import BEAM, MODELS, end_worker, load_ahead, start_worker, worker_variables

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
END_SECONDS = 10.0
"""Between asking a worker to end and killing it."""
CALL_SECONDS = 60.0
"""For the runner to answer what the options of a job are."""
CALLS = 16
"""Requests served at a time; each ends with a process started or stopped."""


class WorkerPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """One process for each worker that a runner asks for. `environment` is what they all inherit."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        # By caller as well as id: each task manager counts its workers from one, and several may share this pool.
        self._workers: dict[tuple[str, str], BaseProcess] = {}
        self._lock = threading.Lock()

    def StartWorker(self, request: beam_fn_api_pb2.StartWorkerRequest, context: grpc.ServicerContext) -> Any:
        try:
            environment = self._environment | worker_environment(request)
            with self._lock:
                self._workers[context.peer(), request.worker_id] = start_worker(environment)
        except Exception:  # whatever it was, the runner must hear of it, or its job waits for ever
            return beam_fn_api_pb2.StartWorkerResponse(error=traceback.format_exc())
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(self, request: beam_fn_api_pb2.StopWorkerRequest, context: grpc.ServicerContext) -> Any:
        """A caller that reconnected is not known again; its worker ends by itself, as the runner has let go of it."""
        with self._lock:
            worker = self._workers.pop((context.peer(), request.worker_id), None)
        if worker is not None:
            end_worker(worker, END_SECONDS)
        return beam_fn_api_pb2.StopWorkerResponse()

    def end_all(self) -> None:
        with self._lock:
            workers = list(self._workers.values())
            self._workers.clear()
        for worker in workers:
            worker.terminate()
        for worker in workers:
            end_worker(worker, END_SECONDS)


def serve(port: int, threads: int, say: Callable[[str], None]) -> int:
    """Serves until SIGTERM or Ctrl-C, then ends its workers. `threads` bounds the maths libraries of each worker."""
    for name in THREADS:
        os.environ.setdefault(name, str(threads))
    load_ahead((*BEAM, *MODELS))
    pool = WorkerPool(os.environ)
    server = grpc.server(ThreadPoolExecutor(CALLS))
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    bound = server.add_insecure_port(f"[::]:{port}")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server.start()
    say(f"workers: serving on port {bound}; {sys.executable}, {threads} threads a worker")
    stop.wait()
    server.stop(None)
    pool.end_all()
    return 0


def worker_environment(request: beam_fn_api_pb2.StartWorkerRequest) -> dict[str, str]:
    """What Beam's worker program reads from its environment: where to report, who it is, and the job's options."""
    asked = {name: getattr(request, f"{name.lower()}_endpoint", None) for name in ("CONTROL", "LOGGING", "STATUS")}
    endpoints = {name: endpoint for name, endpoint in asked.items() if endpoint is not None and endpoint.url}
    url = request.provision_endpoint.url
    return worker_variables(request.worker_id, endpoints, _job_options(url, request.worker_id) if url else None)


def _job_options(url: str, worker: str) -> Struct:
    with grpc.insecure_channel(url) as channel:
        answer = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel).GetProvisionInfo(
            beam_provision_api_pb2.GetProvisionInfoRequest(),
            metadata=[("worker_id", worker)],
            timeout=CALL_SECONDS,
        )
    return answer.info.pipeline_options
