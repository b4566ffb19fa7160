"""A classifier of CIFAR-10 that this project trains itself: it judges pictures, and its features measure them."""

JURORS = ("classifier", "juror")  # of the bundled models those that search and refine; the referee only scores
