"""Settings for all tests, made before numpy or TensorFlow is imported, and shared fixtures."""

import gc
import os

if os.environ.get("GPU_TESTS") != "1":
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # expected values are those of CPUs
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # test processes run in parallel, one per core
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from common.backend import compiler

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # hides TensorFlow's start-up messages
if compiler.has_onednn():  # as the commands do
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
gc.set_threshold(100_000, 50, 100)  # traced graphs have many small objects, few of which are garbage
LONGEST = ("test_train.py", "test_generate.py", "test_configs.py")


def pytest_collection_modifyitems(items):
    """Skips what needs a GPU unless GPU_TESTS=1; the longest files come first.

    So no process is still running one of those when the others are done.
    """
    if os.environ.get("GPU_TESTS") != "1":
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a GPU: GPU_TESTS=1 python -m pytest -m gpu"))
    items.sort(key=lambda item: item.path.name not in LONGEST)  # stable


@pytest.fixture
def small_classifiers(monkeypatch):
    """Replaces the bundled classifiers by small ones with random weights, which load ten times as fast."""
    from classifiers.inference import ReleasedClassifier
    from classifiers.networks import ARCHITECTURES
    from common.variables import weights_by_name
    from training import acai, gan

    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    sizes = dict(architecture="plain", width=32, channels=(2, 2, 2), classes=10, colours=3)

    def bundled_classifier(name):
        network = ARCHITECTURES["plain"](32, sizes["channels"], len(classes))
        weights = {name: v.numpy() for name, v in weights_by_name("network", network).items()}
        return ReleasedClassifier(sizes | {"class_names": classes, "temperature": 1.0}, weights, name)

    for user in (acai, gan):
        monkeypatch.setattr(user, "bundled_classifier", bundled_classifier)
