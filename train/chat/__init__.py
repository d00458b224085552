"""From a shard's sample to tokens: the tokenizer, formats, loss masks and weights. Imports no Beam and no torch."""
