"""Operations of a pack against torch's own counter."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import msgspec
import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.train.documents import IMAGE, draw_documents, join_documents, tiny_model
from train.flops import costs_of, pack_flops, peak_of
from train.losses import find_targets, weighted_cross_entropy
from train.packed_forward import PackedModel
from train.packed_inputs import pack_inputs

PACK = join_documents(draw_documents([([(3, (1, 4, 6)), (2, (1, 2, 2))], 20), ([], 30)]), padding=5)
WEIGHTS = PACK.weights * (PACK.bounds[2] > np.arange(len(PACK.weights)))
PACK = msgspec.structs.replace(PACK, sources=("drawn",) * 2, weights=WEIGHTS)


def test_a_pack_costs_what_torch_counts():
    """But for the padding and the later half of causal attention, which torch counts."""
    model = PackedModel(tiny_model())
    costs, length = costs_of(model.glm), len(PACK.input_ids)
    targets = find_targets(PACK, np.arange(length), {"drawn": 0}, 512)
    with FlopCounterMode(display=False) as counted, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        model(pack_inputs(PACK, IMAGE), lambda states, head: weighted_cross_entropy(states, head.weight, targets))
    lengths = np.diff(PACK.bounds)
    unneeded = costs.token * int(lengths[-1])
    unneeded += costs.pair * int((lengths**2).sum() - (lengths[:-1] * (lengths[:-1] + 1) // 2).sum())
    assert pack_flops(costs, PACK) // 3 == pytest.approx(counted.get_total_flops() - unneeded, rel=1e-6)


def test_peaks_are_known_by_name():
    assert peak_of("NVIDIA H200") == 989e12
    assert peak_of("NVIDIA H200", 500) == 500e12
    assert peak_of("cpu") is None
