"""Both pipelines on a real Flink: `make flink-test`."""
