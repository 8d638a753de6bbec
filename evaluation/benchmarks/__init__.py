"""Benchmarks, one file each: a reader that gives `Question`s; the scorers are in `evaluation.metrics`."""
