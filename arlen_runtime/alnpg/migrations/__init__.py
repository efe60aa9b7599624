"""The schema's history: files, plan, run, dump, seeds."""
