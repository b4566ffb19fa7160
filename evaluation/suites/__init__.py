"""What evaluate.py can measure: one file a suite."""
