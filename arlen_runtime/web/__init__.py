"""What application code touches."""
