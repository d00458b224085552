"""Random documents for the tiny model, one at a time as transformers takes them and side by side as a pack."""

from typing import NamedTuple

import numpy as np
import torch
from hypothesis import strategies as st

from train.data.records import NOT_TRAINED, Pack
from train.positions import document_positions

IMAGE = 511
"""The tiny preset's picture token."""
GRIDS = st.tuples(st.just(1), st.sampled_from([2, 4, 6]), st.sampled_from([2, 4]))
PARTS = st.tuples(st.lists(st.tuples(st.integers(1, 4), GRIDS), max_size=3), st.integers(1, 6))
"""Text before each picture, its grid, text at the end; no picture and one token is the shortest document."""
VIDEOS = st.tuples(st.integers(1, 4), GRIDS).map(lambda video: ([(2, video[1])] * video[0], 2))
SETS = st.lists(st.one_of(PARTS, VIDEOS), min_size=1, max_size=5)


class Document(NamedTuple):
    ids: np.ndarray
    kinds: np.ndarray
    grids: np.ndarray
    patches: np.ndarray


def draw_document(parts, seed: int = 0) -> Document:
    pictures, tail = parts
    random, kinds, grids = np.random.default_rng(seed), [], []
    for text, grid in pictures:
        kinds += [0] * text + [1] * (grid[1] * grid[2] // 4)
        grids.append(grid)
    marks = np.array(kinds + [0] * tail, np.int8)
    shapes = np.array(grids, np.int32).reshape(-1, 3)
    ids = np.where(marks == 1, IMAGE, random.integers(0, 500, len(marks))).astype(np.int32)
    patches = random.normal(size=(int(shapes.prod(axis=1).sum()), 1176)).astype(np.float32)
    return Document(ids, marks, shapes, patches)


def draw_documents(sets, seed: int = 0) -> list[Document]:
    return [draw_document(parts, seed * 100 + number) for number, parts in enumerate(sets)]


def join_documents(documents, padding: int = 0) -> Pack:
    """Side by side, with `padding` tokens as a last document of text."""
    if padding:
        documents = [*documents, draw_document(([], padding))]
    ids = [document.ids for document in documents]
    return Pack(
        input_ids=np.concatenate(ids),
        labels=np.concatenate([[*each[1:], NOT_TRAINED] for each in ids]).astype(np.int32),
        weights=np.concatenate([[1.0] * (len(each) - 1) + [0.0] for each in ids]).astype(np.float32),
        positions=np.concatenate([document_positions(d.kinds, d.grids) for d in documents], axis=1),
        bounds=np.cumsum([0, *map(len, ids)]).astype(np.int32),
        grids=np.concatenate([document.grids for document in documents]),
        patches=np.concatenate([document.patches for document in documents]),
        sources=("drawn",) * len(documents),
        keys=tuple(str(number) for number in range(len(documents))),
    )


def library_inputs(document: Document) -> dict[str, torch.Tensor]:
    """One document as transformers takes it; it works out positions and mask itself."""
    inputs = {
        "input_ids": torch.from_numpy(document.ids).long()[None],
        "mm_token_type_ids": torch.from_numpy(document.kinds).long()[None],
    }
    if len(document.grids):
        inputs["pixel_values"] = torch.from_numpy(document.patches)
        inputs["image_grid_thw"] = torch.from_numpy(document.grids).long()
    return inputs


def library_pack(pack: Pack) -> dict[str, torch.Tensor]:
    """The pack as one would give it to transformers, without positions."""
    inputs = {"input_ids": torch.from_numpy(pack.input_ids).long()[None]}
    if len(pack.grids):
        inputs["pixel_values"] = torch.from_numpy(pack.patches)
        inputs["image_grid_thw"] = torch.from_numpy(pack.grids).long()
    return inputs


def tiny_model(seed: int = 0):
    """A random Glm4v with weights so large that a leak shows: with the usual 0.02 a tiny model hardly attends."""
    from transformers import Glm4vForConditionalGeneration

    from train.presets import library_config

    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Glm4vForConditionalGeneration(library_config("tiny"))
        large_weights(model)
    return model


def large_weights(model) -> None:
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.1)
