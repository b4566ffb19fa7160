"""--config.train.start_from of a run with checkpoints: weights, averages and Adam go on, the step begins anew."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import configs.acai
import train
import training.acai
from common import lock, variables
from common.data import datasets, lines
from common.errors import InputError
from configs.check import check
from tests.support.acai_models import adversary, batch, build, same, values
from tests.support.running_commands import TrainFlags
from training import loop
from training.checkpoints import Checkpoints

SIZES = dict(width=8, latent_width=2, latent_channels=2, depth=2, critic_depth=2)
COUNT = 7  # steps of every optimizer of the source


def make(seed=0, rate=1e-3, **options):
    """A model with random weights, averages and moments, of which Adam has counted COUNT steps."""
    keras.utils.set_random_seed(seed)
    model = build(**SIZES | {"ema_rate": 0.9} | options)
    model.compile(rate)
    random = np.random.default_rng(seed)
    for name, variable in model.state().items():
        if len(variable.shape):
            value = random.normal(0, 0.1, variable.shape)
            variable.assign(np.abs(value) if "_optimizer/" in name else value)  # second moments are positive
    for optimizer in model.optimizers.values():
        optimizer.iterations.assign(COUNT)
    return model


def arrays(model):
    return {name: np.asarray(variable).copy() for name, variable in model.state().items()}


def write_run(folder, model, step=COUNT, family="acai", bottleneck="plain"):
    """Writes a checkpoint of a model into a run directory; returns a config that starts from it."""
    folder.mkdir(exist_ok=True)
    model.step.assign(step)
    config = configs.acai.get_config()
    config.model.bottleneck = bottleneck
    (folder / "config.json").write_text(json.dumps(config.to_dict() | {"family": family}))
    Checkpoints(folder / "checkpoints").save(step, model.state())
    config.train.start_from = str(folder)
    return config


def start(folder, source, model):
    training.acai.start(write_run(folder, source), model)


def moments(model, name):
    return [variable for variable in model.optimizers[name].variables if len(variable.shape)]


@pytest.mark.parametrize(
    ("precision", "new_precision"),
    [("float32", "float32"), ("mixed_float16", "float32"), ("float32", "mixed_float16")],
)
def test_weights_averages_and_optimizers_come_from_the_checkpoint(precision, new_precision, tmp_path):
    """Whatever else the optimizers' variables are: a constant rate, none under a schedule, or a loss scale."""
    schedule = keras.optimizers.schedules.CosineDecay(0.5, 10)
    source, model = make(precision=precision), make(1, schedule, precision=new_precision)
    before = arrays(model)
    start(tmp_path, source, model)
    networks = {n: a for n, a in arrays(source).items() if n != "step" and "_optimizer/" not in n}
    assert len(networks) > 40 and networks.keys() < before.keys()
    after = arrays(model)
    for name, value in networks.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)
    for name in source.trained_networks:
        ours, theirs = moments(model, name), moments(source, name)
        assert len(ours) == len(theirs) == 2 * len(source.weights_of(name))
        assert same(values(ours), values(theirs)), name
        assert int(model.optimizers[name].iterations) == COUNT
        assert getattr(model.optimizers[name], "dynamic_scale", 2**15) == 2**15
    assert int(model.step) == 0
    assert float(variables.optimizer_logs(model.optimizers["autoencoder"])["learning_rate"]) == 0.5


def test_the_first_step_is_adams_next_at_the_first_rate_of_the_schedule(tmp_path):
    """Worked by hand: g follows from the first moments, and t = COUNT + 1 in both bias corrections."""
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.01, 1e3])  # of step 0, and of all later
    model = make(1, schedule)
    start(tmp_path, make(), model)
    before = arrays(model)
    model.train_step(batch(0))
    after, t = arrays(model), COUNT + 1
    for name in ("autoencoder", "critic"):
        weights = model.weights_of(name)
        names = [next(n for n, v in model.state().items() if v is weight) for weight in weights]
        ids = [next(n for n, v in model.state().items() if v is moment) for moment in moments(model, name)]
        for weight, first, second in zip(names, ids[::2], ids[1::2], strict=True):
            gradient = (after[first].astype(np.float64) - 0.9 * before[first]) / 0.1
            velocity = 0.999 * before[second] + 0.001 * gradient**2
            np.testing.assert_allclose(after[second], velocity, rtol=1e-4)
            rate = 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            moved = before[weight] - rate * after[first] / (np.sqrt(velocity) + 1e-8)
            np.testing.assert_allclose(after[weight], moved, rtol=0, atol=1e-6, err_msg=weight)
            if name == "autoencoder":  # the average goes on, too: it keeps (1 + t) / (10 + t), not 2 / 11
                weight = weight.removeprefix("trained_")
                kept = min(0.9, (1 + t) / (10 + t))
                average = kept * before[weight] + (1 - kept) * moved
                np.testing.assert_allclose(after[weight], average, rtol=0, atol=1e-6, err_msg=weight)
    assert float(variables.optimizer_logs(model.optimizers["autoencoder"])["learning_rate"]) == 1e3  # of step 1


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_a_schedule_of_the_models_step_takes_the_same_steps_as_one_of_the_optimizers(precision):
    """Without start_from both counts are equal: this is what makes earlier trainings resume."""
    schedule = keras.optimizers.schedules.CosineDecay(0.01, 20)
    models = [make(rate=schedule, precision=precision) for _ in range(2)]
    for model in models:
        model.step.assign(COUNT)
    for optimizer in models[1].optimizers.values():
        getattr(optimizer, "inner_optimizer", optimizer)._learning_rate = schedule
    for step in range(3):
        logs = [{n: float(v) for n, v in model.train_step(batch(step)).items()} for model in models]
        assert logs[0] == logs[1] and 0 < logs[0]["learning_rate"] < 0.01
    assert same(arrays(models[0]).values(), arrays(models[1]).values())


def test_networks_and_optimizers_that_the_checkpoint_lacks_keep_their_initial_state(tmp_path):
    source, model = make(), make(1, adversarial_weight=0.1)
    own = [*adversary(model, "discriminator").network.variables, *model.optimizers["discriminator"].variables]
    before = values(own)
    start(tmp_path / "first", source, model)
    assert same(values(own), before)
    assert same(values(model.weights_of("critic")), values(source.weights_of("critic")))
    other = make(2)  # and what only the checkpoint has is left out
    start(tmp_path / "second", model, other)
    assert same(values(other.weights_of("critic")), values(source.weights_of("critic")))


@pytest.mark.parametrize(("rate", "new_rate"), [(0.0, 0.9), (0.9, 0.0), (0.0, 0.0)])
def test_without_averages_in_both_the_trained_weights_begin_both(rate, new_rate, tmp_path):
    source, model = make(ema_rate=rate), make(1, ema_rate=new_rate)
    start(tmp_path, source, model)
    expected = values([*source.encoder.variables, *source.decoder.variables])
    for autoencoder in (model.autoencoder, model.released):
        assert same(values([*autoencoder.encoder.variables, *autoencoder.decoder.variables]), expected)


@pytest.mark.parametrize(
    ("other", "named"),
    [(dict(depth=4), "autoencoder_optimizer/1"), (dict(critic_depth=3), "critic/conv2d_0/bias")],
    ids=str,
)
def test_other_sizes_are_refused_and_change_nothing(other, named, tmp_path):
    model = make(1, **other)
    before = arrays(model)
    message = f"^Weights must fit .* Received: {tmp_path}/checkpoints with .* for {named}"
    with pytest.raises(InputError, match=message) as error:
        start(tmp_path, make(), model)
    assert "\n" not in str(error.value)
    assert all(np.array_equal(value, before[name]) for name, value in arrays(model).items())


def test_a_run_in_training_is_read_as_it_is_and_a_damaged_checkpoint_passed_over(tmp_path):
    """The run has no release yet, and another training holds its lock."""
    source = make()
    config = write_run(tmp_path, source)
    (tmp_path / "checkpoints" / f"000000009-{16 * '0'}.npz").write_bytes(b"damaged")
    held, model = lock.FolderLock(str(tmp_path)), make(1)
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.rglob("*") if p.is_file()}
    check(config)
    training.acai.start(config, model)
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.rglob("*") if p.is_file()} == before
    held.release()
    assert same(values(model.weights_of("critic")), values(source.weights_of("critic")))


def test_what_is_no_acai_or_has_no_whole_checkpoint_is_refused(tmp_path):
    config = write_run(tmp_path / "gan", make(), family="gan")
    with pytest.raises(InputError, match="start_from must be a plain ACAI. Received: .*gan of the family gan"):
        training.acai.start(config, make())
    config = write_run(tmp_path / "vqvae", make(), bottleneck="vqvae")  # whose codebook would be lost
    with pytest.raises(InputError, match="must be a plain ACAI. Received: .*vqvae with the bottleneck vqvae"):
        training.acai.start(config, make())
    config = write_run(tmp_path / "damaged", make())
    for path in (tmp_path / "damaged" / "checkpoints").iterdir():
        path.write_bytes(b"damaged")
    with pytest.raises(InputError, match="must have an undamaged checkpoint.* Received: 1 damaged"):
        training.acai.start(config, make())
    (tmp_path / "empty" / "checkpoints").mkdir(parents=True)
    config.train.start_from = str(tmp_path / "empty")
    with pytest.raises(InputError, match="start_from must be a run directory or a bundled model"):
        training.acai.start(config, make())


# Through the command


def run(monkeypatch, workdir, steps, **settings):
    """Runs train.main for some steps; returns the arrays of the newest checkpoint."""
    config = configs.acai.get_config("lines")
    config.model.update(dict(latent_width=2, latent_channels=2, depth=2, critic_depth=2))
    config.train.update(dict(batch_size=4, schedule="constant", jit_compile="off", precision="float32"))
    config.train.update(dict(pictures_every_kimg=0.0, release_every_kimg=0.0, bank_per_class=(6, 2)))
    config.train.update(dict(total_kimg=steps * 0.004) | settings)
    monkeypatch.setattr(train, "FLAGS", TrainFlags(config=config, workdir=str(workdir)))
    monkeypatch.setattr(training.acai, "evaluate", lambda *_: {})
    train.main()
    step, saved = Checkpoints(Path(workdir) / "checkpoints").load_latest()
    assert step == steps == saved["step"]
    return saved, config


@pytest.mark.slow
def test_a_run_goes_on_from_another_and_resumes_to_the_bit(tmp_path, monkeypatch):
    first, config = run(monkeypatch, tmp_path / "first", 3)
    source = str(tmp_path / "first")
    after, _ = run(monkeypatch, tmp_path / "second", 1, start_from=source)

    # The same step of the restored model, on the first batch and the random numbers of step 0
    model = training.acai.build(config, datasets.load("lines", 32)[0])
    variables.restore(model.state(), first, "the first run")
    model.step.assign(0)
    data = next(iter(lines.batches(4, config.train.seed)))
    loop.compile_step(model, False)(data, **model.static_arguments(0))
    expected = arrays(model)
    assert [name for name, value in expected.items() if not np.array_equal(value, after[name])] == []
    assert expected["step"] == 1 and expected["autoencoder_optimizer/00"] == 4

    # The source trains on, and is not read again
    run(monkeypatch, tmp_path / "first", 5)
    resumed, _ = run(monkeypatch, tmp_path / "second", 4, start_from=source)
    (tmp_path / "first" / "checkpoints").rename(tmp_path / "later")
    Checkpoints(tmp_path / "first" / "checkpoints").save(3, first)
    uninterrupted, _ = run(monkeypatch, tmp_path / "third", 4, start_from=source)
    assert resumed.keys() == uninterrupted.keys()
    assert [n for n, value in resumed.items() if not np.array_equal(value, uninterrupted[n])] == []
