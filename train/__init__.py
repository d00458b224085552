"""Training on finished shards; imports no Beam. Nothing here yet."""
