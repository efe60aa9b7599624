"""Maps paths to endpoints, and route names to URLs. Works on strings only."""
