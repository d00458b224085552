"""From files to losses: what a step makes of finished sets is what transformers makes of each document alone.

The reference shares nothing with ours but the files and a document's tokens: its own class opened from the hub's
format, its own picture processor on the pictures' files, its own positions, masks and loss.
"""

import io
import json
from typing import NamedTuple

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from PIL import Image

from tests.train.data.toy_set import write_indexed
from tests.train.documents import large_weights
from tests.train.test_chat_samples import ours, picture
from tests.train.toy_captions import COLOURS, caption, drawn, toy_config
from train.chat.tokenizer import load_tokenizer
from train.data.records import NOT_TRAINED
from train.evaluate import score_pack
from train.feed import Share, built_packs, open_packs
from train.job import open_job, token_ids
from train.model import build_model, export_model
from transforms.records import Text

CONTEXT, ANSWER = 128, "<answer>a {} circle</answer>"


class File(NamedTuple):
    """What lies in a set of one sample: its pictures, and the text that is to be trained on."""

    pictures: list[bytes]
    trained: str


def write_sets(folder) -> dict[str, File]:
    """Captions with and without a picture, interleaved documents of which some are over the context, conversations."""
    files, rows = {}, {"captions": [], "pages": [], "talks": []}
    for n in range(6):
        seen, thought = [drawn(n)] * (n % 3 > 0), f"<think>It is {COLOURS[n % 4]}.</think>" * (n % 2)
        files[f"c{n}"] = File(seen, f"{caption(n)}<|endoftext|>")
        parts = dict.fromkeys(["jpg"] * len(seen), drawn(n)) | {"txt": caption(n).encode()}
        rows["captions"].append((f"c{n}", parts))
        said = [{"role": "user", "content": "<image>What?"}, {"role": "assistant", "content": thought + answer(n)}]
        files[f"t{n}"] = File([drawn(n)], thought + "\n" * (n % 2) + answer(n) + "<|user|>")
        rows["talks"].append((f"t{n}", {"jpg": drawn(n), "json": json.dumps({"messages": said}).encode()}))
    for n in (0, 1, 5):
        texts = [Text(caption(n + place), "paragraph") for place in range(2 + n)]
        pieces = [part for place, text in enumerate(texts) for part in ([picture()] * (place % 2) + [text])]
        shown = iter([drawn(n + place) for place in range(len(texts))])
        data = [None if isinstance(piece, Text) else next(shown) for piece in pieces]
        files[f"p{n}"] = File([one for one in data if one], joined(pieces) + "<|endoftext|>")
        rows["pages"].append((f"p{n}", ours(pieces, data)))
    for name, samples in rows.items():
        write_indexed(folder / name, samples, per_shard=5)
    return files


def answer(n: int) -> str:
    return ANSWER.format(COLOURS[n % 4])


def joined(pieces) -> str:
    """Paragraphs a blank line apart, a picture on a line of its own."""
    text = ""
    for before, piece in zip([None, *pieces], pieces, strict=False):
        both = isinstance(before, Text) and isinstance(piece, Text)
        text += ("\n\n" if both else "\n" if isinstance(before, Text) else "") + getattr(piece, "value", "")
    return text


class Document(NamedTuple):
    key: str
    ids: torch.Tensor
    trained: torch.Tensor
    """(L,) bool."""
    each: torch.Tensor
    """(n,) our cross-entropy of each trained token."""
    weights: torch.Tensor


def by_document(job, pack) -> list[Document]:
    with torch.no_grad():
        scores, targets = score_pack(job, pack, {name: n for n, name in enumerate(("captions", "pages", "talks"))})
    assert float(scores.total) == pytest.approx(float((scores.each * targets.weights).sum()), rel=1e-5)
    found = []
    for key, start, end in zip(pack.keys, pack.bounds, pack.bounds[1:], strict=False):
        here = (targets.rows >= int(start)) & (targets.rows < int(end))
        trained = torch.zeros(int(end - start), dtype=torch.bool)
        trained[targets.rows[here] - int(start) + 1] = True  # a row predicts the token behind it
        ids = torch.from_numpy(pack.input_ids[start:end]).long()
        found.append(Document(key, ids, trained, scores.each[here], targets.weights[here]))
    return found


def library_losses(library, document: Document, pictures: list[bytes]) -> tuple[torch.Tensor, float]:
    """Cross-entropy of each trained token, and the library's own mean of them."""
    from transformers import Glm4vImageProcessorPil

    ids = document.ids[None]
    inputs = {"input_ids": ids, "mm_token_type_ids": (ids == library.config.image_token_id).long()}
    if pictures:
        files = [Image.open(io.BytesIO(data)) for data in pictures]
        inputs |= dict(Glm4vImageProcessorPil()(images=files, return_tensors="pt"))
    labels = torch.where(document.trained, document.ids, NOT_TRAINED)[None]
    with torch.no_grad():
        told = library(**inputs, labels=labels)
    where = document.trained[1:]
    each = torch.nn.functional.cross_entropy(told.logits[0, :-1][where], document.ids[1:][where], reduction="none")
    return each, float(told.loss)


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """(files, tokenizer, documents of all packs of an epoch, in order, the library's model)."""
    from transformers import Glm4vForConditionalGeneration

    folder = tmp_path_factory.mktemp("chain")
    files = write_sets(folder)
    source = {"source": str(folder / "model"), "tokenizer": str(folder / "tokenizer"), "checkpoint_layers": 1}
    sources = [{"name": name, "uri": str(folder / name)} for name in ("captions", "pages", "talks")]
    data = {"sources": sources, "workers": 0, "window": 12}
    cfg = toy_config(folder, context=CONTEXT, model=source, data=data)
    tokenizer = load_tokenizer(cfg.model.tokenizer, "glm-4.1v")
    model = build_model("tiny", tokens=token_ids(tokenizer))
    large_weights(model.glm)
    export_model(model, folder / "model")
    packs = list(built_packs(open_packs(cfg, cfg.data.sources, tokenizer, Share(0, 1), rounds=1), tokenizer))
    with open_job(cfg, folder / "run", tokenizer, print) as job:
        documents = [document for pack in packs for document in by_document(job, pack)]
    assert all(len(pack.input_ids) == CONTEXT for pack in packs) and len(packs) < len(documents) / 2
    return files, tokenizer, documents, Glm4vForConditionalGeneration.from_pretrained(folder / "model")


def test_every_sample_is_in_one_document_or_in_pieces_that_follow_each_other(chain):
    files, _, documents, _ = chain
    keys = sorted(document.key for document in documents)
    assert {key.partition("@")[0] for key in keys} == set(files) and len(set(keys)) == len(keys)
    assert "p5@1" in keys and "p0" in keys


def test_what_is_trained_on_is_what_the_files_say(chain):
    files, tokenizer, documents, _ = chain
    told = dict.fromkeys(files, "")
    for document in sorted(documents, key=lambda one: one.key):
        told[document.key.partition("@")[0]] += tokenizer.decode(document.ids[document.trained])
    cut = told.pop("p5"), files["p5"].trained
    assert told == {key: file.trained for key, file in files.items() if key != "p5"}
    # No break is written where a document is cut.
    assert cut[0].replace("\n", "") == cut[1].replace("\n", "") and cut[0].count("\n") < cut[1].count("\n")


def test_losses_are_those_of_each_document_alone_in_the_library(chain):
    files, _, documents, library = chain
    shown = {key: list(file.pictures) for key, file in files.items()}
    for document in sorted(documents, key=lambda one: one.key):
        tokens = (document.ids == library.config.image_token_id).long()
        count = int(tokens.diff(prepend=torch.zeros(1, dtype=torch.long)).clamp(min=0).sum())
        left = shown[document.key.partition("@")[0]]
        mine, left[:] = left[:count], left[count:]
        each, mean = library_losses(library, document, mine)
        torch.testing.assert_close(document.each, each, atol=1e-4, rtol=1e-5)
        assert float(document.each.mean()) == pytest.approx(mean, abs=1e-5)
        assert document.weights.numpy() == pytest.approx(np.full(len(each), len(each) ** -0.5))
    assert not any(shown.values())
