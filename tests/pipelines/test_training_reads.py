"""What a run has written, training reads: every kept pair once, with the members that lie in its shards.

And the member indexes beside the shards are in nobody's way."""

import tarfile
from pathlib import Path

from configs.schema.caption import ReadRules
from pipelines.cli import main
from pipelines.convert import expand
from train.data.loader import Loader, LoaderRules, SourceSpec, open_mixture
from transforms.reading import list_units


def test_a_finished_run_is_a_source(finished):
    written: dict[str, dict[str, bytes]] = {}
    for path in sorted(Path(finished, "shards").glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, suffix = member.name.partition(".")
                written.setdefault(key, {})[suffix] = tar.extractfile(member).read()
    mixed = open_mixture([SourceSpec("pairs", finished)], 1)
    read = [given.item for given in Loader(mixed, rules=LoaderRules(rounds=1))]
    assert len(read) == len(written) > 0
    assert {sample.key: sample.parts for sample in read} == written


def test_member_indexes_are_no_inputs(finished):
    shards = [str(path) for path in sorted(Path(finished, "shards").glob("*.tar"))]
    for inputs in ([f"{finished}/shards/*"], expand(finished)):
        assert [unit.uri for unit in list_units(inputs, ReadRules())] == shards
    assert main(["lint", finished]) == 0
