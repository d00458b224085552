"""A small byte-level BPE with the special tokens of GLM-4.1V-9B-Thinking: real code paths, toy merges.

The special tokens stand at the end and in the order of the released tokenizer; ids are others.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

SPECIAL = (
    "<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>", "<|assistant|>",
    "<|observation|>", "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>", "<|image|>",
    "<|video|>", "<think>", "</think>", "<answer>", "</answer>", "<|begin_of_box|>", "<|end_of_box|>", "/nothink",
)  # fmt: skip
BASE_SPECIAL = SPECIAL[:16]
"""What GLM-4.1V-9B-Base has."""
CAPTIONS = (
    "a red circle above a blue square on a white ground",
    "two green triangles beside a yellow star, with a small black cat",
    "the picture shows a large orange ring and a purple cross",
    "How many circles are there in the picture? There are three of them.",
    "图中有一个红色的圆形和两个蓝色的方块。",
    "The answer is 42, because 6 times 7 is 42.\n\nSo the total is 42.",
)
# In the manner of GLM-4's: words with one sign before them, numbers of up to three digits, runs of signs, line breaks.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@cache
def toy_tokenizer(special: tuple[str, ...] = SPECIAL):
    """A `tokenizers.Tokenizer` of some 500 tokens; the same in every process."""
    return train_tokenizer(CAPTIONS * 2, 512, special)


def train_tokenizer(texts: Iterable[str], words: int, special: tuple[str, ...] = SPECIAL):
    """A `tokenizers.Tokenizer` of `words` tokens and the special ones behind them."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(PATTERN), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=words, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    return tokenizer


def save_toy_tokenizer(folder: Path, special: tuple[str, ...] = SPECIAL) -> str:
    """Writes `tokenizer.json` into `folder`, which transformers' PreTrainedTokenizerFast opens too; gives its path."""
    folder.mkdir(parents=True, exist_ok=True)
    toy_tokenizer(special).save(str(folder / "tokenizer.json"))
    return str(folder)
