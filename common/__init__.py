"""What both families share."""
