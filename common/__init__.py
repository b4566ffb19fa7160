"""Library code that all model families share. It imports none of the other packages."""
