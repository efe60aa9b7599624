"""What the code of an application uses: context, parameters, validation, responses."""
