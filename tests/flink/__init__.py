"""The caption pipeline on a real Flink: `make flink-test`."""
