"""What a run has written, training reads: every kept pair once, with the members that lie in its shards."""

import tarfile
from pathlib import Path

from train.data.loader import Loader, LoaderRules, SourceSpec, open_mixture


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
