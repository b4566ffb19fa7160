"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow


@pytest.fixture(scope="session")
def real_data_dir():
    """The TFDS folder with a prepared CIFAR-10; without one the test is skipped, nothing is downloaded."""
    folder = Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    if not (folder / "cifar10").is_dir():
        pytest.skip(f"no prepared CIFAR-10 in {folder}; TFDS_DATA_DIR names another folder")
    return str(folder)
