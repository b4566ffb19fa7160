"""Code that only affects speed or describes the machine. Models train without it, on Keras's own layers."""
