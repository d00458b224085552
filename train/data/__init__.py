"""What training reads: samples of finished shards, in an order that can be resumed. Imports no Beam and no torch."""
