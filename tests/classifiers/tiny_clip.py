"""A tiny random open_clip model in a folder: real code paths, no signal. Seeded, so that two calls agree."""

import json
from pathlib import Path
from typing import Any

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


def save_tiny_clip(folder: Path, *, seed: int = 0, nan: bool = False, **changes: Any) -> str:
    """Writes config and weights into `folder` and gives its `local-dir:` name."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    config = {**TINY, **changes}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = open_clip.CLIP(**config)
    weights = {name: value.detach().contiguous() for name, value in model.state_dict().items()}
    if nan:
        weights["text_projection"][:] = float("nan")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    save_file(weights, folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"
