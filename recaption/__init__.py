"""Models that write: prompts, captioner, fact guard, mixing. Nothing here yet."""
