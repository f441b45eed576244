"""What `benchmarks.review` is made of: a real site, made-up campaigns, reviewers in a loop, and the rules checked."""
