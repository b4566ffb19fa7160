"""From a request to PNG files."""
