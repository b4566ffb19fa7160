"""The real command: the lines suite from start to end, and bad input in one line, with status 2."""

import ast
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from acai.model import paper_acai
from common import release
from pegasus.search_config import DEFAULT_TERM_WEIGHTS, SearchConfig

ROOT = Path(__file__).resolve().parents[2]
SIZES = dict(width=32, latent_width=2, latent_channels=2, depth=2, critic_depth=2)


def evaluate(*words, cwd=ROOT, **environment):
    environment = {name: value for name, value in os.environ.items() if name != "TFDS_DATA_DIR"} | environment
    command = [sys.executable, ROOT / "evaluate.py", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Releases of untrained ACAIs of lines, of two classes, of one and of a folder, and of another family."""
    folder = tmp_path_factory.mktemp("runs")
    state = paper_acai(**SIZES, colours=1, classes=1).release_state()
    kinds = {"lines": ("lines", ()), "animals": ("cifar10", ("horse", "bird"))}
    kinds |= {"horses": ("cifar10", ("horse",)), "own": ("folder", ("horse", "bird"))}
    for name, (source, classes) in kinds.items():
        config = {
            "family": "acai",
            "data": {"source": source, "classes": classes},
            "model": SIZES | {"colours": 1},
        }
        release.write(folder / name, config, state, {"latents": np.zeros(1)})
    config = {"family": "classifier", "data": {"source": "cifar10"}, "model": {"class_names": ("cat", "dog")}}
    release.write(folder / "judge", config, state)
    for name, classes in (("gan", 0), ("cgan", 2)):
        config = {"family": "gan", "data": {"source": "cifar10"}}
        config["model"] = {"classes": classes, "class_names": ("horse", "bird")}
        release.write(folder / name, config, state)
    return folder


@pytest.mark.slow
def test_lines_from_start_to_end(runs, tmp_path):
    result = evaluate(f"--source={runs}/lines", f"--out={tmp_path}/out")
    assert result.returncode == 0, result.stderr
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    names = list(found["sections"]["Lines"]["figures"])
    assert "lines_mean_distance_256" in names and "lines_smoothness_256" in names
    for name in names:
        assert name in result.stdout
    assert result.stdout.splitlines()[-2:] == [f"{tmp_path}/out/metrics.json", f"{tmp_path}/out/report.html"]


@pytest.mark.parametrize(
    ("words", "mentioned"),
    [
        ("--source=nowhere", ["--source", "nowhere"]),
        ("--source={runs}/judge --suite=blend", ["--suite=judge", "--suite=blend"]),
        ("--source={runs}/judge --suite=probe", ["--suite=judge is required", "--suite=probe"]),
        ("--source={runs}/lines --suite=probe", ["--suite=lines is required", "--suite=probe"]),
        ("--source={runs}/animals --suite=lines", ["--suite=blend or --suite=search or", "--suite=lines"]),
        ("--source={runs}/animals --suite=everything", ["suite", "blend", "probe", "all"]),
        ("--source={runs}/horses", ["at least two classes", "acai", "1 classes"]),
        ("--source={runs}/gan --suite=blend", ["--suite=gan is required", "--suite=blend"]),
        ("--source={runs}/cgan --suite=probe", ["--suite=gan or --suite=blend is", "--suite=probe"]),
        ("--source={runs}/cgan --suite=blend --first=deer", ["--first", "horse, bird", "deer and bird"]),
        ("--source={runs}/gan --features=eyes", ["eyes", "inception"]),
        ("--source={runs}/own --suite=all", ["--image_folder", "own was trained on", "none"]),
        ("--source={runs}/animals --first=deer", ["--first", "horse, bird", "deer and bird"]),
        ("--source={runs}/animals --second=deer", ["--second", "horse, bird", "horse and deer"]),
        ("--source={runs}/animals --suite=all --second=horse", ["two different classes", "horse and horse"]),
        ("--source={runs}/animals --features=eyes", ["eyes", "inception"]),
        ("--source={runs}/animals --samples=5", ["samples", "100"]),
        ("--source={runs}/animals --features={runs}/judge --data_dir=/dev/null", ["/dev/null"]),
        ("--source={runs}/animals --suite=search --first_like=unicorn", ["--first_like", "light, ", "unicorn"]),
        ("--source={runs}/animals --first_like=light", ["--first_like is required with --suite=search"]),
        ("--source={runs}/animals --suite=probe --lower_first=2", ["--lower_first is required with"]),
        ("--source={runs}/animals --suite=probe --typical_weight=2", ["--typical_weight is required with"]),
        ("--source={runs}/animals --suite=search --typical_weight=nan", ["--typical_weight", "finite", "nan"]),
        ("--source={runs}/lines --out=/dev/null/out", ["--out", "/dev/null"]),
        ("--sauce=acai", ["sauce"]),
    ],
)
def test_bad_input_gets_one_line(runs, words, mentioned):
    result = evaluate(*words.format(runs=runs).split())
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.count("\n") == 1 and "Traceback" not in result.stderr, result.stderr
    for word in mentioned:
        assert word in result.stderr


def answers(program, *words):
    """What a program that has evaluate.py imported and its flags parsed prints last, as JSON."""
    program = f"""
import json, sys
import evaluate
from common import cli, release
cli.parse_flags(["evaluate.py", *{words!r}])
{program}
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_the_suites_that_suit():
    asked = [
        (None, ("acai", "cifar10", ("horse", "bird")), ["blend"]),
        ("all", ("acai", "cifar10", ("horse", "bird")), ["blend", "search", "probe"]),
        ("probe", ("acai", "cifar10", ("horse", "bird")), ["probe"]),
        (None, ("acai", "lines", ()), ["lines"]),
        ("all", ("acai", "folder", ("horse", "bird")), ["blend", "probe"]),
        ("all", ("acai", "folder", ("horse", "unicorn")), ["probe"]),
        (None, ("classifier", "folder", ("unicorn", "dog")), ["judge"]),
        ("all", ("acai", "lines", ()), ["lines"]),
        (None, ("classifier", "cifar10", ("cat", "dog")), ["judge"]),
        ("all", ("gan", "cifar10", ("horse", "bird")), ["gan"]),
        (None, ("conditional gan", "cifar10", ("horse", "bird")), ["gan"]),
        ("all", ("conditional gan", "cifar10", ("horse", "bird")), ["gan", "blend"]),
    ]
    program = f"""
found = []
for suite, model, _ in {asked!r}:
    evaluate.FLAGS.suite = suite
    found.append(evaluate.chosen_suites(*model))
print(json.dumps(found))
"""
    assert answers(program) == [chosen for *_, chosen in asked]


@pytest.mark.parametrize(
    ("suite", "present", "missing"),
    [
        ("blend", ["classifier"], "referee/config.json"),
        ("blend", ["classifier", "referee"], "/dev/null"),  # the data, for which is looked next
        ("search", ["classifier", "referee"], "search_classifier_b/config.json"),
    ],
)
def test_the_judges_of_a_suite_are_required_before_tensorflow_is_loaded(runs, tmp_path, suite, present, missing):
    config = {"family": "classifier", "data": {"source": "cifar10"}, "model": {"class_names": ("cat", "dog")}}
    for name in present:
        release.write(tmp_path / name, config, {"a": np.zeros(1)})
    program = f"""
from pathlib import Path
release.BUNDLED = Path({str(tmp_path)!r})
try:
    evaluate.main()
except cli.InputError as error:
    print(json.dumps([str(error), list(evaluate.JUDGES), "tensorflow" in sys.modules]))
"""
    words = f"--source={runs}/animals", f"--features={runs}/judge", f"--suite={suite}", "--data_dir=/dev/null"
    error, judges, loaded = answers(program, *words)
    assert missing in error
    assert judges == ["referee", "classifier"] and not loaded


def test_a_search_is_asked_for_what_the_flags_say():
    """With stand-ins for all that takes TensorFlow."""
    program = """
import dataclasses, sys
from types import SimpleNamespace
asked = lambda *words: print(repr(dataclasses.asdict(words[-3])))
sys.modules["evaluation.suites.search"] = SimpleNamespace(evaluate=asked)
sys.modules["acai.latent_bank"] = SimpleNamespace(LatentBank=SimpleNamespace(from_arrays=dict))
sys.modules["classifiers.inference"] = SimpleNamespace(ClassifierEnsemble=list)
import evaluate
evaluate.released_acai = lambda *_: None
scorers = {"referee": 0, "search_classifier_b": 1}
evaluate.judged = lambda *_, **__: (scorers, None, None, None, "horse", "bird", 100, 3, None)
evaluate.FLAGS(["evaluate.py", *sys.argv[1:]])
evaluate.search({}, {}, {}, {})
"""
    words = "--candidates=70 --refine=2 --second_like=light,cat --lower_first=3 --mask=top --wings_weight=1.5"
    command = [sys.executable, "-c", program, *words.split(), "--critic_weight=0.25"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    weights = DEFAULT_TERM_WEIGHTS | {"wings": 1.5, "critic": 0.25}
    config = SearchConfig(70, 64, 2, "top", 3, None, "light,cat", weights)
    assert ast.literal_eval(result.stdout) == dataclasses.asdict(config)
