"""Models that read: a name, load(), predict(batch)."""
