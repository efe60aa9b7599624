"""Live reload: under `arlen serve`, open pages load again when a file has changed."""
