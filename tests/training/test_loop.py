"""The training loop with a model that only counts steps: callbacks and logs."""

import contextlib
import math
import time

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from common.backend import compiler  # noqa: E402
from tests.training.counting import Counter, Recorder, numbers, train  # noqa: E402
from training import loop  # noqa: E402


def test_callbacks_are_called_in_order_at_their_steps():
    events, model = [], Counter()
    callbacks = [Recorder(events, " a", 3), Recorder(events, " b", 2), Recorder(events, " end")]
    assert train(model, callbacks, total=7) is None
    assert int(model.step) == 7
    both = [2, 3, 4, 6, 7]
    expected = []
    for step in both:
        if step % 2 == 0 or step == 7:
            expected += [("scalars" + name, step) for name in (" a", " b", " end")]
        expected += [("interval a", step)] if step % 3 == 0 or step == 7 else []
        expected += [("interval b", step)] if step % 2 == 0 or step == 7 else []
    expected.append(("interval end", 7))
    assert [event[:2] for event in events] == expected


def test_last_step_calls_each_callback_once():
    events = []
    train(Counter(), [Recorder(events, "", 3)], total=6, log_every=3)
    assert [event[:2] for event in events] == [
        *(("scalars", 3), ("interval", 3)),
        *(("scalars", 6), ("interval", 6)),
    ]


def test_scalars_are_means_over_the_logging_interval():
    """The losses are 0, 1, 2, ...; reading values within an interval must not split its mean."""
    events = []
    train(Counter(), [Recorder(events, "", every_steps=1)], total=8, log_every=3)
    scalars = {event[1]: event[2] for event in events if event[0] == "scalars"}
    assert {step: values["loss"] for step, values in scalars.items()} == {3: 1.0, 6: 4.0, 8: 6.5}
    assert scalars[8]["steps"] == 7.5


def test_mean_of_a_loss_covers_only_steps_that_have_it():
    assert loop.mean_scalars([{"a": 1.0}, {"a": 3.0, "b": 5.0}]) == {"a": 2.0, "b": 5.0}


def test_static_arguments_switch_at_their_step():
    events = []
    train(Counter(late_from=3), [Recorder(events)], total=5, log_every=1)
    assert [event[2]["loss"] for event in events if event[0] == "scalars"] == [0, 1, 2, 1003, 1004]
    assert ["late_loss" in event[2] for event in events if event[0] == "scalars"] == [0, 0, 0, 1, 1]


def test_training_continues_from_the_models_step():
    events, model = [], Counter(step=4)
    train(model, [Recorder(events, "", 2)], total=7)
    assert [(e[1], e[2]["loss"]) for e in events if e[0] == "scalars"] == [(6, 4.5), (7, 6.0)]
    assert [e[1] for e in events if e[0] == "interval"] == [6, 7]


def test_finished_model_takes_no_step():
    events = []
    assert train(Counter(step=6), [Recorder(events)], total=6) is None
    assert events == []


def test_images_per_second_excludes_callbacks():
    """Five images a step; the callback sleeps longer than all steps take."""
    events = []
    began = time.perf_counter()
    train(Counter(), [Recorder(events, "", 1, act=lambda step: time.sleep(0.5))], total=4, log_every=2)
    seconds = time.perf_counter() - began
    first, second = (event[2]["images_per_second"] for event in events if event[0] == "scalars")
    assert seconds >= 2.0
    assert 10 / first + 10 / second <= seconds - 1.9  # both intervals' seconds together


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_non_finite_loss_is_raised_before_any_callback(bad):
    events = []
    values = [0, 1, 2, 3, bad, 5, 6, 7]
    with pytest.raises(loop.NonFiniteError) as error:
        train(Counter(), [Recorder(events, "", 3)], total=8, log_every=3, batches=numbers(values=values))
    assert (error.value.step, error.value.name) == (5, "loss")
    assert "step 5" in str(error.value) and "loss" in str(error.value)
    assert [event[:2] for event in events] == [("scalars", 3), ("interval", 3)]


def test_non_finite_loss_is_raised_before_a_checkpoint_between_logs():
    events = []
    with pytest.raises(loop.NonFiniteError) as error:
        train(Counter(), [Recorder(events, "", 2)], 8, log_every=100, batches=numbers(values=[0, 1, math.nan, 3]))
    assert error.value.step == 3
    assert events == [("interval", 2)]


def test_step_runs_in_the_strategy():
    """Under a strategy every replica runs it; the default one has a single replica."""
    replicas = []

    class Watching(Counter):
        def train_step(self, batch, late):
            replicas.append(tf.distribute.get_replica_context().strategy)
            return super().train_step(batch, late)

    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    train(Watching(), [], total=2, strategy=strategy)
    assert replicas and all(each is strategy for each in replicas)


def test_sums_keep_their_order():
    """TensorFlow's optimizer, which makes them sums in the order of memory that comes free, keeps off."""
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": True})
    train(Counter(), [], total=1)
    assert tf.config.optimizer.get_experimental_options()["arithmetic_optimization"] is False


@pytest.mark.parametrize("compiled", [True, False])
def test_traced_step_knows_whether_xla_compiles_it(compiled):
    class Told(Counter):
        def train_step(self, batch, late):
            return super().train_step(batch, late) | {"told": tf.constant(float(compiler.targets_cpu_with_xla()))}

    events, model = [], Told()
    loop.train(model, numbers(), 2, 5, 2, [Recorder(events)], jit_compile=compiled)
    assert events[0][2]["told"] == compiled
    assert not compiler.targets_cpu_with_xla()


def test_values_are_copied_from_the_device_once_per_interval(monkeypatch):
    """Logs are read when an interval ends, all of them at once, also where their names change within it."""
    events, reads = [], []
    monkeypatch.setattr(
        loop, "read_finite", lambda steps, read=loop.read_finite: reads.append(len(steps)) or read(steps)
    )
    train(Counter(late_from=3), [Recorder(events)], total=8, log_every=4)
    assert reads == [4, 4]
    assert [e[2]["loss"] for e in events if e[0] == "scalars"] == [
        (0 + 1 + 2 + 1003) / 4,
        1000 + (4 + 5 + 6 + 7) / 4,
    ]


def test_read_finite_names_the_first_non_finite_value():
    steps = [(3, ("a", "b"), tf.constant([1.0, 2.0])), (4, ("a",), tf.constant([5.0]))]
    assert loop.read_finite(steps) == [{"a": 1.0, "b": 2.0}, {"a": 5.0}]
    with pytest.raises(loop.NonFiniteError, match="b is nan at step 4"):
        loop.read_finite([*steps[:1], (4, ("a", "b", "c"), tf.constant([0.0, math.nan, math.inf]))])


@pytest.mark.parametrize("compiled", [True, False])
def test_progress_is_shown_while_each_variant_of_the_step_is_compiled(compiled, monkeypatch):
    said = []

    @contextlib.contextmanager
    def show(stage):
        said.append(stage)
        yield

    monkeypatch.setattr(loop.progress, "show", show)
    loop.train(Counter(late_from=2), numbers(), 4, 5, 2, [], jit_compile=compiled)
    assert said == ["compiling the first step", "compiling the step with late=True"]


def test_uint8_images_become_floats():
    class Seeing(Counter):
        def train_step(self, batch, late):
            logs = {"dark": tf.reduce_min(batch["image"]), "light": tf.reduce_max(batch["image"])}
            self.step.assign_add(1)
            return logs

    events = []
    images = tf.data.Dataset.from_tensors({"image": np.uint8([[0, 255]])}).repeat()
    for compiled in (False, True):
        loop.train(Seeing(), images, 1, 5, 1, [Recorder(events)], jit_compile=compiled)
    assert [(e[2]["dark"], e[2]["light"]) for e in events if e[0] == "scalars"] == [(-1, 1)] * 2
