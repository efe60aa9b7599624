"""What application code uses: context, parameters, validation, responses."""
