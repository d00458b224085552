"""Training on finished shards; imports no Beam."""
