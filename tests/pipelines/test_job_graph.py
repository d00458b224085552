"""The job graph without a cluster: which stages there are, which one asks for the accelerator, what they hand over.

Left out on purpose: what a stage does (tests/transforms/beam), and that the bytes come out the same on every runner
(test_same_bytes.py). No account is needed: Dataflow's own translation runs dry, and only where its client is installed.
"""

from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

from configs.schema.caption import CaptionConfig
from pipelines.run import Request, run
from tests.classifiers.tiny_clip import save_tiny_clip
from tests.pipelines.job_graph import (
    VERBS,
    accelerated,
    between_shuffles,
    build_pipeline,
    fuse,
    measured_borders,
    verbs_in_order,
)
from tests.pipelines.small_run import jpeg
from tests.transforms.pools import write_tar

L4 = "type:nvidia-l4;count:1;install-nvidia-driver"
DATAFLOW = [
    "--runner=DataflowRunner",
    "--dry_run=True",
    "--project=a-project",
    "--region=a-region",
    "--temp_location=gs://a-bucket/tmp",
    "--staging_location=gs://a-bucket/staging",
    "--sdk_container_image=an-image",
    "--sdk_location=container",
]
ROWS, UNITS = 100, 3
FEW_HUNDRED = 200
"""Bytes a row; the widest border measured is 125: shards of rows that lie each in a run of its own."""


def config(**relevance) -> CaptionConfig:
    return CaptionConfig.model_validate({"relevance": relevance})


def graph(**relevance):
    return build_pipeline(config(**relevance)).to_runner_api()


def test_the_verbs_run_in_the_order_of_the_paper(tmp_path):
    (tmp_path / "v.txt").write_text("dog\n")
    concepts = {"enabled": True, "vocabulary": str(tmp_path / "v.txt"), "target": 5}
    whole = build_pipeline(CaptionConfig.model_validate({"concepts": concepts})).to_runner_api()
    assert verbs_in_order(whole) == list(VERBS)
    plain = [verb for verb in VERBS if not verb.startswith("Concepts")]
    assert verbs_in_order(graph()) == plain
    assert verbs_in_order(graph(enabled=False)) == [verb for verb in plain if verb != "Relevance"]


def test_only_the_step_with_the_model_asks_for_an_accelerator():
    assert accelerated(graph(accelerator=L4)) == {"Relevance": L4}


def test_nobody_asks_where_the_config_does_not():
    assert accelerated(graph()) == {}
    assert accelerated(graph(enabled=False, accelerator=L4)) == {}


def test_the_hint_survives_fusion_and_nothing_else_is_in_its_stage():
    stages = [stage for stage in fuse(graph(accelerator=L4)) if "resource_hints" in (stage.environment or "")]
    work = [t.unique_name for stage in stages for t in stage.transforms if t.spec.urn == "beam:transform:pardo:v1"]
    assert work == ["Relevance"]


def test_a_shuffle_on_either_side_keeps_other_work_off_the_accelerators_machines():
    beside = between_shuffles(graph(accelerator=L4), "Relevance") - {"Relevance"}
    assert beside, "the shuffles' own steps were not found"
    assert [name for name in beside if not name.startswith(("RelevanceBefore/", "RelevanceAfter/"))] == []


def test_without_an_accelerator_no_shuffle_is_paid_for():
    assert "WriteLedger" in between_shuffles(graph(), "Relevance")


@pytest.mark.filterwarnings("ignore")
def test_dataflows_own_translation_keeps_the_hint_where_it_was():
    pytest.importorskip("google.cloud.dataflow_v1beta3")
    from apache_beam.runners.dataflow.internal.apiclient import Environment

    pipeline = build_pipeline(config(accelerator=L4), *DATAFLOW)
    options = pipeline.run().job.options
    proto = pipeline.runner.proto_pipeline
    assert accelerated(proto) == {"Relevance": L4}
    job = Environment([], options, "1", "gs://a-bucket/staging/pipeline.pb", proto_pipeline=proto).proto
    images = job.worker_pools[0].sdk_harness_container_images
    hints = [proto.components.environments[image.environment_id].resource_hints for image in images]
    assert [image.container_image for image in images] == ["an-image"] * 2
    assert sorted(map(len, hints)) == [0, 1]
    assert "use_runner_v2" in job.experiments


def pool(folder: Path, key: str, caption: str, same: bool) -> str:
    """Tars of `ROWS` pairs, `UNITS` of them; all pictures are one picture, or each is another."""
    folder.mkdir()
    for unit in range(UNITS):
        members = []
        for row in range(ROWS):
            name = f"{unit}-{row}"
            picture = jpeg(0 if same else unit * ROWS + row)
            members += [(f"{key}{name}.jpg", picture), (f"{key}{name}.txt", f"{caption} {name}".encode())]
        write_tar(folder, members, f"{unit}.tar")
    return str(folder / "*.tar")


LONG_KEY = "a-folder-of-a-crawl-whose-name-goes-on-" * 3 + "/"
LONG_CAPTION = "A caption as long as it may be, of which every row has its own. " * 60


@pytest.mark.beam
@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "caption", "same"),
    [("pair", "A good caption for pair", False), (LONG_KEY, LONG_CAPTION, True)],
    ids=["plain rows", "copies with long keys and captions"],
)
def test_no_border_carries_more_than_a_few_hundred_bytes_a_row(tmp_path, key, caption, same):
    pytest.importorskip("torch")
    pytest.importorskip("open_clip")
    model = {"model": save_tiny_clip(tmp_path / "model"), "pretrained": "", "device": "cpu", "precision": "fp32"}
    values = {
        "caption": {"enabled": False},
        "relevance": {**model, "min_score": -1, "accelerator": L4},
        "duplicates": {"enabled": False},  # copies are found all the same, and stay
        "output": {"samples_per_shard": ROWS, "shuffle_run": 1},
    }
    inputs = [pool(tmp_path / "pool", key, caption, same)]
    with measured_borders() as borders:
        run(Request(CaptionConfig.model_validate(values), inputs, str(tmp_path / "out")), lambda line: None)
    a_row = {name: round(border.bytes / (ROWS * UNITS), 1) for name, border in borders.items()}
    print(*(f"{size:8} {borders[name].largest:8} {name}" for name, size in a_row.items()), sep="\n")
    assert {name: size for name, size in a_row.items() if size > FEW_HUNDRED} == {}
    assert {name.split("/")[0] for name in a_row} >= {"Scan", "DuplicatesBucket", "RelevanceBefore", "RelevanceAfter"}
