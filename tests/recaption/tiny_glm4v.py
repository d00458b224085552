"""A tiny random Glm4v in a folder, with a byte tokenizer and a chat template made here: real code paths, no signal.

The template is GLM-4.1V's for one user turn, without tools and history.
"""

from pathlib import Path

SPECIAL = (
    "<|endoftext|>", "[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|begin_of_image|>", "<|end_of_image|>",
    "<|begin_of_video|>", "<|end_of_video|>", "<|image|>", "<|video|>",
)  # fmt: skip
TEMPLATE = (
    "[gMASK]<sop>{% for message in messages %}<|{{ message.role }}|>\n{% for part in message.content %}"
    "{% if part.type == 'image' %}<|begin_of_image|><|image|><|end_of_image|>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def save_tiny_glm4v(folder: Path, *, seed: int = 0, ends: bool = False, template: str | None = TEMPLATE) -> str:
    """Writes model and processor into `folder` and gives its path; with `ends` it always writes the end at once."""
    import torch
    from transformers import Glm4vConfig, Glm4vForConditionalGeneration

    processor = tiny_processor(template)
    config = Glm4vConfig(**tiny_config(processor.tokenizer))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Glm4vForConditionalGeneration(config).eval()
    end = processor.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    if ends:
        with torch.no_grad():
            model.lm_head.weight.zero_()
            model.lm_head.weight[end] = 0.0
        # All scores are equal then, and greedy takes the first token: make that the end.
        end = 0
    model.generation_config.eos_token_id = [end]
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


def tiny_processor(template: str | None):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import Glm4vImageProcessor, Glm4vProcessor, Glm4vVideoProcessor, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL[1:]),
    )
    size = {"shortest_edge": 28 * 28, "longest_edge": 56 * 56}
    images, videos = Glm4vImageProcessor(size=size), Glm4vVideoProcessor(size=size)
    return Glm4vProcessor(images, fast, videos, chat_template=template)


def tiny_config(tokenizer) -> dict:
    ids = dict(zip(SPECIAL, tokenizer.convert_tokens_to_ids(list(SPECIAL)), strict=True))
    rope = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5, "mrope_section": [1, 1, 2]}
    text = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 4096, "rope_parameters": rope,
        "pad_token_id": ids["<|endoftext|>"],
    }  # fmt: skip
    vision = {
        "depth": 1, "hidden_size": 32, "num_heads": 2, "image_size": 56, "patch_size": 14, "out_hidden_size": 32,
        "intermediate_size": 48,
    }  # fmt: skip
    return {
        "text_config": text,
        "vision_config": vision,
        "image_token_id": ids["<|image|>"],
        "video_token_id": ids["<|video|>"],
        "image_start_token_id": ids["<|begin_of_image|>"],
        "image_end_token_id": ids["<|end_of_image|>"],
        "video_start_token_id": ids["<|begin_of_video|>"],
        "video_end_token_id": ids["<|end_of_video|>"],
    }
