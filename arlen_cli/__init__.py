"""The tool: writes projects and their pieces, and runs them."""
