"""Models that write: prompts, two captioners, the fact guard, mixing, and the training set of the next captioner."""
