"""One file, one concern, one shape."""
