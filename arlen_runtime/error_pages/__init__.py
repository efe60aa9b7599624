"""Error responses in four formats: problem JSON, HTML, Markdown, text."""
