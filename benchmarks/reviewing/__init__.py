"""Parts of `benchmarks.review`: a real site, generated campaigns, reviewers in a loop, and rule checks."""
