"""Parts of `benchmarks.training`."""
