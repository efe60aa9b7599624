"""Log lines: text and JSON; nothing a client sends can forge one."""
