"""Which runner: Beam's in-process one by object where the user names none, whatever else by Beam's own options.

Never `DirectRunner`: it first tries to download another runner, so that the same command would run on different
engines depending on the network (measured on Beam 2.77).
"""

from __future__ import annotations

import apache_beam as beam
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions, WorkerOptions
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle


def pipeline_for(options: PipelineOptions) -> beam.Pipeline:
    if options.view_as(StandardOptions).runner:
        return beam.Pipeline(options=options)
    return beam.Pipeline(runner=local_runner(options), options=options)


def local_runner(options: PipelineOptions) -> fn_runner.FnApiRunner:
    """In-process for one worker, one process each for more. Subprocess workers get the options only this way."""
    worker = options.view_as(WorkerOptions)
    # Beam's own default, INFO, tells of every data channel that is opened.
    worker.default_sdk_harness_log_level = worker.default_sdk_harness_log_level or "WARNING"
    direct = options.view_as(DirectOptions)
    if direct.direct_num_workers != 1 and direct.direct_running_mode == "in_memory":
        direct.direct_running_mode = "multi_processing"
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    provision = beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
    return fn_runner.FnApiRunner(provision_info=fn_runner.ExtendedProvisionInfo(provision))
