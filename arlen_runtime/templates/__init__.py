"""Pages from Jinja2 templates; knows nothing of HTTP but media types and JSON."""
