"""What the benchmark measures, each a program of its own: `python -m benchmarks.tasks.NAME`."""
