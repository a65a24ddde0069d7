"""All promised figures of speed and memory, each beside its yardstick: `python -m benchmarks.ratios`."""
