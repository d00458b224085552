"""Which runner: Beam's in-process one by object where the user names none, whatever else by Beam's own options.

Never `DirectRunner`: it first tries to download another runner, so that the same command would run on different
engines depending on the network (measured on Beam 2.77).
"""

from __future__ import annotations

import logging
import shlex
import sys
import threading
from contextlib import suppress

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.fn_api_runner.worker_handlers import SubprocessSdkWorkerHandler, WorkerHandler
from apache_beam.runners.portability.local_job_service import SubprocessSdkWorker
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.transforms.environments import SubprocessSDKEnvironment

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


def pipeline_for(options: PipelineOptions, worker_log: str) -> beam.Pipeline:
    """`worker_log` is a local file that takes what worker processes print."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_news)
    if is_local(options):
        return beam.Pipeline(runner=local_runner(options, worker_log), options=options)
    portable = options.view_as(PortableOptions)
    portable.environment_cache_millis = int(portable.environment_cache_millis) or WORKER_CACHE_MILLIS
    return beam.Pipeline(options=options)


def is_local(options: PipelineOptions) -> bool:
    """Whether the run stays on this machine, in our choice of runner."""
    return not options.view_as(StandardOptions).runner


def local_runner(options: PipelineOptions, worker_log: str) -> fn_runner.FnApiRunner:
    """In-process for one worker, one process each for more. Subprocess workers get the options only this way."""
    worker, direct = options.view_as(WorkerOptions), options.view_as(DirectOptions)
    # Beam's own default, INFO, tells of every data channel that is opened.
    worker.default_sdk_harness_log_level = worker.default_sdk_harness_log_level or "WARNING"
    environment = None
    if direct.direct_num_workers != 1 and direct.direct_running_mode == "in_memory":
        command = f"{shlex.quote(sys.executable)} -m apache_beam.runners.worker.sdk_worker_main"
        environment = SubprocessSDKEnvironment.from_command_string(f"{command} 2>>{shlex.quote(worker_log)}")
        WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)(WatchedWorker)
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    provision = beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
    return fn_runner.FnApiRunner(
        default_environment=environment, provision_info=fn_runner.ExtendedProvisionInfo(provision)
    )


class WatchedWorker(SubprocessSdkWorkerHandler):
    """A worker process whose death ends the run. Beam 2.77 has it so for containers, but of a process nobody hears: a
    bundle that had sent its last element when the process died was waited for for ever."""

    def start_worker(self) -> None:
        self._stopped = threading.Event()
        self.worker = SubprocessSdkWorker(
            self._worker_command_line, self.control_address, self.provision_info, self.worker_id
        )
        self.worker_thread = threading.Thread(name="run_worker", target=self._run, daemon=True)
        self.worker_thread.start()

    def close(self) -> None:
        self._stopped.set()
        super().close()

    def _run(self) -> None:
        try:
            self.worker.run()
        except RuntimeError as died:
            while True:
                with suppress(RuntimeError):  # Beam walks a dict that another thread may change
                    self.control_conn.abort(died)
                if self._stopped.wait(TOLD_SECONDS):
                    return


def _is_news(record: logging.LogRecord) -> bool:
    return not any(noise in record.getMessage() for noise in _NOISE)
