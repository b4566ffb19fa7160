"""Towers: which rows they get, that steps are equal up to rounding, and how many there are."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

import configs.acai
from acai.mixing import MaskedMix
from common.backend import compiler, towers
from common.distribute import replicas
from common.errors import InputError
from configs.check import check
from tests.support.acai_models import build


def batch(size=8):
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (size, 8, 8, 3)).astype(np.float32)
    return {"image": tf.constant(images), "label": tf.constant(rng.integers(0, 3, size), tf.int32)}


def step(model, count):
    """Returns (logs, {network: gradients}) in a number of towers, without changing weights."""
    return replicas.run_in_towers(model.gradients, count, batch())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mix_weight": 0.0},
        {"mix_weight": 0.0, "adversarial_weight": 0.3},
        {"adversarial_weight": 0.3, "discriminator": {"gradient_penalty": 0.03}},
        {"mixing": MaskedMix(0.6)},
        *(
            pytest.param({"bottleneck": bottleneck}, marks=marks)
            for bottleneck, marks in (
                (dict(bottleneck="dropout", bottleneck_strength=0.5), pytest.mark.slow),
                (dict(bottleneck="denoising"), pytest.mark.slow),
                (dict(bottleneck="vae"), pytest.mark.slow),
                (dict(bottleneck="aae"), ()),
                (dict(bottleneck="vqvae", codebook_size=5), pytest.mark.slow),
                (dict(bottleneck="projected_vqvae", codebook_size=5), ()),
            )
        ),
    ],
    ids=lambda options: options.get("bottleneck", {}).get("bottleneck") or "-".join(options) or "paper",
)
def test_step_in_towers_equals_the_plain_step(options):
    """Losses and all gradients of two and four towers equal those of one."""
    keras.utils.set_random_seed(0)
    model = build(**dict(mix_weight=3.0) | options)
    model.compile()
    logs, gradients = step(model, 1)
    for count in (2, 4):
        other_logs, other_gradients = step(model, count)
        assert other_logs.keys() == logs.keys() and other_gradients.keys() == gradients.keys()
        for name, value in logs.items():
            assert float(other_logs[name]) == pytest.approx(float(value), rel=1e-5, abs=1e-6), name
        for name, network in gradients.items():
            network = [np.asarray(tf.convert_to_tensor(gradient)) for gradient in network]
            assert any(map(np.any, network))
            for one, other in zip(network, other_gradients[name], strict=True):
                np.testing.assert_allclose(other, one, rtol=1e-4, atol=2e-5 * np.abs(one).max(), err_msg=name)


def test_towers_get_mirrored_rows_and_return_means():
    """A tower gets pairs of mirrored rows, and its draws are rows of the whole batch's draw."""
    calls, seed = [], tf.constant([1, 2], tf.int64)
    whole = tf.random.stateless_uniform((8,), seed, alg="philox")

    def step(rows):
        calls.append((rows["row"].numpy().tolist(), replicas.replica_index(), replicas.num_replicas()))
        drawn = replicas.draw(tf.random.stateless_uniform, tf.shape(rows["row"]), seed, alg="philox")
        assert drawn.numpy().tolist() == tf.gather(whole, rows["row"]).numpy().tolist()
        return {"mean": tf.reduce_mean(tf.cast(rows["row"], tf.float32) ** 2)}, [tf.reduce_mean(drawn)]

    logs, (drawn,) = replicas.run_in_towers(step, 2, {"row": tf.range(8)})
    assert calls == [([0, 1, 6, 7], 0, 2), ([2, 3, 4, 5], 1, 2)]
    assert float(logs["mean"]) == np.mean(np.arange(8) ** 2)
    assert float(drawn) == pytest.approx(np.mean(whole), rel=1e-6)


def test_communication_between_towers_is_an_error():
    with pytest.raises(RuntimeError, match="cannot communicate"):
        replicas.run_in_towers(lambda rows: replicas.mean(rows["row"]), 2, {"row": tf.range(8)})
    assert replicas.mean(3) == 3


def test_error_in_a_tower_resets_the_context():
    with pytest.raises(KeyError):
        replicas.run_in_towers(lambda rows: rows["none"], 2, {"row": tf.range(8)})
    assert replicas.num_replicas() == 1


@pytest.mark.parametrize(
    ("fields", "cores", "expected"),
    [
        ({}, 2, 2),
        ({}, 1, 1),
        ({}, 4, 4),
        ({}, 8, 8),
        ({}, 16, 1),  # four images a tower are too few
        ({}, 6, 1),  # 64 images are not a multiple of 12
        ({"batch_size": 96}, 6, 6),
        ({"count": 1}, 2, 1),
        ({"count": 4}, 2, 4),
        ({"jit_compile": "off", "precision": "float32"}, 2, 2),
        ({"jit_compile": "on"}, 2, 1),
        ({"precision": "mixed_float16"}, 2, 1),
        ({"precision": "mixed_bfloat16"}, 2, 2),
        ({"precision": "mixed_bfloat16", "bfloat16": False}, 2, 1),  # XLA would compile it
        ({"bfloat16": False}, 2, 2),
        ({"strategy": "mirrored"}, 2, 1),
    ],
)
def test_plan_gives_one_tower_per_core_where_that_pays(fields, cores, expected, monkeypatch):
    fields = {"count": 0, "batch_size": 64} | fields
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(cores), raising=False)
    monkeypatch.setattr(compiler, "has_onednn", lambda: True)
    has_bfloat16 = fields.pop("bfloat16", True)
    monkeypatch.setattr(compiler, "has_bfloat16", lambda: has_bfloat16)
    assert towers.plan(**fields) == expected


def test_plan_gives_one_tower_without_onednn(monkeypatch):
    monkeypatch.setattr(compiler, "has_onednn", lambda: False)
    assert towers.plan(0, 64) == 1


@pytest.mark.parametrize(("threads", "expected"), [(1, 2), (0, 1), (2, 1)])
def test_resolve_gives_one_tower_unless_each_operation_has_one_core(threads, expected, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(2), raising=False)
    monkeypatch.setattr(compiler, "has_onednn", lambda: True)
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: threads)
    assert towers.resolve(0, 64) == expected


@pytest.mark.parametrize("count", [-1, 3, 64, 1.5, "2"])
def test_invalid_counts_are_refused(count):
    config = configs.acai.get_config()
    with config.train.ignore_type():
        config.train.towers = count
    with pytest.raises(InputError, match="--config.train.towers .*64.* Received"):
        check(config)
