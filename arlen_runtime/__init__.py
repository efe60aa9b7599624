"""The slim runtime: what an application imports and what runs in production."""
