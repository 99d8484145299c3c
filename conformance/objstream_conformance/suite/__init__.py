"""The test cases, one module per area of the specification."""
