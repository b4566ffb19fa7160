"""Everything that is only speed, or about the machine: with Keras's own layers in place of these all still
trains."""
