"""Which runner: Beam's in-process one by object where the user names none, whatever else by Beam's own options.

Never `DirectRunner`: it first tries to download another runner, so that the same command would run on different
engines depending on the network (measured on Beam 2.77).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_fn_api_pb2_grpc, beam_provision_api_pb2, endpoints_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.fn_api_runner.worker_handlers import GrpcWorkerHandler, WorkerHandler
from apache_beam.runners.portability.local_job_service import BeamFnLoggingServicer
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.transforms.environments import SubprocessSDKEnvironment
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance

from pipelines.worker_processes import BEAM, load_ahead, start_worker, worker_variables

# What Beam's workers say at every start and nobody can act on, and its advice to choose the running mode that would
# replace our worker command by its own.
_NOISE = (
    "No semi_persistent_directory found",
    "Discarding unparseable args",
    "direct_running_mode should be",
    "Really starting service",
    "Really destroying service",
    "Waiting for grpc channel",
)
_LOGGERS = (
    "apache_beam.runners.portability.local_job_service",
    "apache_beam.runners.portability.fn_api_runner.fn_runner",
    "apache_beam.utils.subprocess_server",
    "",
)
TOLD_SECONDS = 1.0
"""Between two tellings of a dead worker: a question put to it after one is answered by the next."""
WORKER_CACHE_MILLIS = 60_000
"""Between the stages of one Flink job a worker waits this long for the next, its model loaded; Beam's default is 0."""


def pipeline_for(options: PipelineOptions, worker_log: str, modules: Sequence[str] = BEAM) -> beam.Pipeline:
    """`worker_log` is a local file that takes what worker processes print; `modules` are what each of them needs."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_news)
    if is_local(options):
        return beam.Pipeline(runner=local_runner(options, worker_log, modules), options=options)
    portable = options.view_as(PortableOptions)
    portable.environment_cache_millis = int(portable.environment_cache_millis) or WORKER_CACHE_MILLIS
    return beam.Pipeline(options=options)


def is_local(options: PipelineOptions) -> bool:
    """Whether the run stays on this machine, in our choice of runner."""
    return not options.view_as(StandardOptions).runner


def local_runner(options: PipelineOptions, worker_log: str, modules: Sequence[str] = BEAM) -> fn_runner.FnApiRunner:
    """In-process for one worker, one process each for more. Subprocess workers get the options only this way."""
    worker, direct = options.view_as(WorkerOptions), options.view_as(DirectOptions)
    # Beam's own default, INFO, tells of every data channel that is opened.
    worker.default_sdk_harness_log_level = worker.default_sdk_harness_log_level or "WARNING"
    environment = None
    if direct.direct_num_workers != 1 and direct.direct_running_mode == "in_memory":
        load_ahead(modules)
        environment = SubprocessSDKEnvironment.from_command_string(worker_log)
        WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)(WatchedWorker)
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    provision = beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
    return fn_runner.FnApiRunner(
        default_environment=environment, provision_info=fn_runner.ExtendedProvisionInfo(provision)
    )


class WatchedWorker(GrpcWorkerHandler):
    """A worker process whose death ends the run. Beam 2.77 has it so for containers, but of a process nobody hears: a
    bundle that had sent its last element when the process died was waited for for ever."""

    _starting = threading.Lock()

    def __init__(self, worker_log: bytes, *of_runner: Any) -> None:
        super().__init__(*of_runner)
        self._log, self._stopped = os.fsdecode(worker_log), threading.Event()

    def start_worker(self) -> None:
        self._logging = grpc.server(shared_unbounded_instance())
        port = self._logging.add_insecure_port("localhost:0")
        beam_fn_api_pb2_grpc.add_BeamFnLoggingServicer_to_server(BeamFnLoggingServicer(), self._logging)
        self._logging.start()
        with self._starting:
            self._process = start_worker(self._environment(f"localhost:{port}"), self._log)
        self._watcher = threading.Thread(name="run_worker", target=self._watch, daemon=True)
        self._watcher.start()

    def stop_worker(self) -> None:
        self._watcher.join()

    def close(self) -> None:
        self._stopped.set()
        super().close()

    def _environment(self, logging_address: str) -> dict[str, str]:
        addresses = {"CONTROL": self.control_address, "LOGGING": logging_address}
        endpoints = {name: endpoints_pb2.ApiServiceDescriptor(url=url) for name, url in addresses.items()}
        options = self.provision_info.provision_info.pipeline_options
        return os.environ | worker_variables(self.worker_id, endpoints, options)

    def _watch(self) -> None:
        self._process.join()
        self._logging.stop(0)
        if not self._process.exitcode:
            return
        died = RuntimeError(f"Worker subprocess exited with return code {self._process.exitcode}")
        while True:
            with suppress(RuntimeError):  # Beam walks a dict that another thread may change
                self.control_conn.abort(died)
            if self._stopped.wait(TOLD_SECONDS):
                return


def _is_news(record: logging.LogRecord) -> bool:
    return not any(noise in record.getMessage() for noise in _NOISE)
