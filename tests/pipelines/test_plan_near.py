"""What a plan weighs of near duplicates: the packed rows twice, and each hash and look once a band."""

import numpy as np
import pytest

pytest.importorskip("apache_beam")

from configs.schema.caption import CaptionConfig
from pipelines.plan_stages import hold_rows, weigh_packing
from tests.transforms.test_near_duplicates import pair
from transforms.beam.verbs import Site


@pytest.mark.parametrize(("distance", "bands"), [(4, 5), (8, 9)])
def test_the_bands_are_weighed(tmp_path, distance, bands):
    codes = np.random.default_rng(0).integers(0, 1 << 64, 500, np.uint64).tolist()
    rows = hold_rows(Site(str(tmp_path), "code", "recipe"), 0, [pair(f"{i:09d}", c) for i, c in enumerate(codes)])
    plain = weigh_packing(rows, CaptionConfig()).row_bytes
    near = {"enabled": True, "max_distance": distance}
    weighed = weigh_packing(rows, CaptionConfig.model_validate({"near_duplicates": near})).row_bytes
    # A hash, a look, a weight, a count and a key of 9 characters in each band; in the packed rows also digest and slot.
    band, packed = 8 + 98 + 8 + 8 + 10, 16 + 8 + 4 + 8 + 106 + 16
    assert weighed - plain == pytest.approx(bands * band + 2 * packed, rel=0.08)
