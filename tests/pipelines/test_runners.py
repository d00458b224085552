"""Which runner a command line means: never the one that Beam would pick by what it can download."""

import pytest

pytest.importorskip("apache_beam")

from apache_beam.options.pipeline_options import PipelineOptions, WorkerOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from pipelines.runners import local_runner, pipeline_for

LOG = "worker.log"


def test_without_a_runner_it_is_the_local_one():
    assert type(pipeline_for(PipelineOptions([]), LOG).runner) is FnApiRunner


def test_a_runner_that_is_named_is_taken():
    options = PipelineOptions(["--runner=PortableRunner", "--job_endpoint=embed"])
    assert type(pipeline_for(options, LOG).runner) is PortableRunner


@pytest.mark.parametrize(
    ("arguments", "processes"),
    [
        ([], False),
        (["--direct_num_workers=1"], False),
        (["--direct_num_workers=2"], True),
        (["--direct_num_workers=2", "--direct_running_mode=multi_threading"], False),
    ],
)
def test_workers_are_processes_where_there_is_more_than_one(arguments, processes):
    runner = local_runner(PipelineOptions(arguments), LOG)
    assert isinstance(runner._default_environment, SubprocessSDKEnvironment) == processes


@pytest.mark.parametrize(("arguments", "level"), [([], "WARNING"), (["--default_sdk_harness_log_level=INFO"], "INFO")])
def test_workers_log_warnings_unless_asked_for_more(arguments, level):
    options = PipelineOptions(arguments)
    local_runner(options, LOG)
    assert options.view_as(WorkerOptions).default_sdk_harness_log_level == level


def test_workers_in_processes_get_the_options():
    runner = local_runner(PipelineOptions(["--direct_num_workers=2", "--default_sdk_harness_log_level=ERROR"]), LOG)
    told = runner._provision_info.provision_info.pipeline_options
    assert told["beam:option:default_sdk_harness_log_level:v1"] == "ERROR"
