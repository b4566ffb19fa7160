"""Distribution: one replica changes nothing; two devices and machines, tested in processes of their own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from acai.model import paper_acai
from common.distribute import distribution, replicas
from configs import acai, gan
from configs.check import check
from tests.support.gan_models import build_gan

ROOT = Path(__file__).parents[3]
LOOPBACK = ("unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")  # a private network


def run_tests(pattern, marker, prefix=()):
    """Runs the tests in the files of tests/distributed that match a pattern, in a process of their own."""
    paths = sorted((ROOT / "tests" / "distributed").glob(pattern))
    command = [*prefix, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths]
    result = subprocess.run([*command, "-m", marker], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-10_000:] + result.stderr[-2000:]
    assert " passed" in result.stdout and "skipped" not in result.stdout


@pytest.mark.slow
def test_two_devices():
    run_tests("two_devices_*.py", "not slow")


@pytest.mark.slow
def test_two_devices_slow_tests():
    run_tests("two_devices_*.py", "slow")


@pytest.mark.slow
def test_two_machines():
    try:
        subprocess.run([*LOOPBACK, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this machine allows no private network: {error}")
    run_tests("two_machines.py", "not slow", LOOPBACK)


# One device


def test_one_replica_returns_its_arguments():
    """Functions return the same tensors, and a draw equals TensorFlow's own."""
    values = tf.reshape(tf.range(12.0), (6, 2))
    for same in (replicas.take_own_rows, replicas.gather_first_half, replicas.take_own_second_half, replicas.mean):
        assert same(values) is values
    gradients = [values]
    assert replicas.divide_by_replicas(gradients) is gradients and replicas.num_replicas() == 1
    assert bool(replicas.all_finite(gradients)) and not replicas.all_finite([values, tf.constant([np.nan])])
    drawn = replicas.draw(tf.random.stateless_normal, (2, 3), [1, 2], axis=1, alg="philox")
    np.testing.assert_array_equal(drawn, tf.random.stateless_normal((2, 3), [1, 2], alg="philox"))


@pytest.mark.parametrize("family", [paper_acai, pytest.param(build_gan, marks=pytest.mark.slow)])
def test_a_step_of_one_replica_reduces_nothing(family):
    """No collective operation, no slicing of rows: the step is the one that knows of no strategy."""
    options = dict(width=8, latent_width=4, latent_channels=2, depth=2, classes=3)
    if family is build_gan:
        options = dict(noise_size=4, generator_channels=2, discriminator_channels=2, minibatch_deviation=True)
    model = family(**options)
    model.compile()
    width = options.get("width", 32)
    batch = {"image": tf.TensorSpec((8, width, width, 3)), "label": tf.TensorSpec((8,), tf.int32)}
    strategy = distribution.make_strategy("default")
    plain = tf.function(lambda batch: model.train_step(batch), autograph=False).get_concrete_function(batch)
    run = tf.function(lambda batch: distribution.run_step(strategy, model.train_step, batch), autograph=False)
    kinds = [sorted(op.type for op in f.graph.get_operations()) for f in (plain, run.get_concrete_function(batch))]
    assert kinds[0] == kinds[1] and not [kind for kind in kinds[0] if "Collective" in kind]


def test_mirrored_with_a_single_device_is_the_default_strategy(monkeypatch):
    assert distribution.make_strategy("mirrored", ["CPU:0"]) is tf.distribute.get_strategy()
    one = tf.config.list_logical_devices("CPU")[:1]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: one if kind == "GPU" else one * 2)
    assert distribution.make_strategy("mirrored") is tf.distribute.get_strategy()


@pytest.mark.parametrize("config", [acai.get_config(), gan.get_config()])
@pytest.mark.parametrize("strategy", ["mirrored", "multi_worker"])
def test_configs(config, strategy):
    config.train.strategy = strategy
    check(config)
    for name, value in (("jit_compile", "on"), ("batch_size", 63), ("strategy", "parameter_server")):
        wrong = config.copy_and_resolve_references()
        wrong.train[name] = value
        with pytest.raises(ValueError, match=name):
            check(wrong)
