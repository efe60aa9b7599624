"""Configuration: one frozen dataclass per section; load, merge, validate, mask."""
