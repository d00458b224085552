"""The toy world: seeded drawn pictures with exact captions, and the faults of the web with their truth."""
