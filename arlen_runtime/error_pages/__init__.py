"""One error value, four faces."""
