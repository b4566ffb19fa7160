"""A classifier of CIFAR-10 that this project trains itself: it judges pictures, and its features measure them."""
