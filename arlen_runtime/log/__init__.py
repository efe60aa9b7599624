"""Log lines in text and JSON; no input of a client can forge one."""
