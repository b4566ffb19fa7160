"""What holds for every test: TensorFlow's start-up chatter is silenced before anything imports it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
