"""Worker processes, forked from one that has loaded what all of them need.

Loading Beam takes a process 1.8 s of CPU time, torch with open_clip 5 s more (measured); a fork takes hundredths, and
shares the memory. Nothing that is loaded may be used before the fork: no model, no connection, no thread.
Left out on purpose: which workers there are and when one ends (pipelines/runners.py, pipelines/workers.py).
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess

from apache_beam.portability.api import endpoints_pb2
from google.protobuf import json_format, text_format
from google.protobuf.struct_pb2 import Struct

BEAM = ("apache_beam.runners.worker.sdk_worker_main", "pipelines.makings")
MODELS = ("torch", "open_clip")
"""Of the extra `models`; where one is not installed it is not loaded."""

_FORKED = multiprocessing.get_context("forkserver")


def load_ahead(modules: Sequence[str]) -> None:
    """Starts the process that workers are forked from and returns at once. The first call of a process decides; what
    the maths libraries read from the environment must be there."""
    _FORKED.set_forkserver_preload([*modules])
    forkserver.ensure_running()


def start_worker(environment: Mapping[str, str], log: str = "") -> BaseProcess:
    """Beam's worker program in a process of its own, with nothing but this environment; what it prints is added to
    the log, where one is named. Not for several threads at a time."""
    streams = {2: log} if log else {}
    worker = _FORKED.Process(target=_work, args=(dict(environment), os.getcwd(), streams), daemon=True)
    worker.start()
    return worker


def worker_variables(
    worker: str, endpoints: Mapping[str, endpoints_pb2.ApiServiceDescriptor], options: Struct | None
) -> dict[str, str]:
    """What Beam's worker program reads: who it is, where it reports (`CONTROL`, `LOGGING`, `STATUS`), and the job's
    options."""
    told = {f"{name}_API_SERVICE_DESCRIPTOR": text_format.MessageToString(one) for name, one in endpoints.items()}
    found = {} if options is None else {"PIPELINE_OPTIONS": json_format.MessageToJson(options)}
    return {**told, **found, "WORKER_ID": worker}


def settle_in(environment: Mapping[str, str], folder: str, streams: Mapping[int, str]) -> None:
    """Gives a forked process its own environment, folder, and files that what it prints on 1 and 2 is added to."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in streams.items():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(descriptor, number)
        os.close(descriptor)


def end_worker(worker: BaseProcess, seconds: float) -> None:
    """Asks it to end, and kills it where it has not after so long."""
    worker.terminate()
    worker.join(seconds)
    worker.kill()
    worker.join()


def _work(environment: dict[str, str], folder: str, streams: dict[int, str]) -> None:
    from apache_beam.runners.worker import sdk_worker_main

    settle_in(environment, folder, streams)
    sdk_worker_main.main([])
