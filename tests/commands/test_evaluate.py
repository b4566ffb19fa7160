"""The command evaluate.py: a whole run, and bad input, which gets one line and status 2."""

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
from evaluation.inputs import EvaluationConfig
from tests.support.forks import FORKS, assert_refusal, start

ROOT = Path(__file__).resolve().parents[2]
SIZES = dict(width=32, latent_width=2, latent_channels=2, depth=2, critic_depth=2)


def evaluate(*arguments, cwd=ROOT, **environment):
    environment = {name: value for name, value in os.environ.items() if name != "TFDS_DATA_DIR"} | environment
    command = [sys.executable, ROOT / "evaluate.py", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Releases of untrained ACAIs of lines, two classes, one class and a folder, of a classifier and of GANs."""
    folder = tmp_path_factory.mktemp("runs")
    state = paper_acai(**SIZES, colours=1, classes=1).release_state()
    kinds = {"lines": ("lines", ()), "animals": ("cifar10", ("horse", "bird"))}
    kinds |= {"horses": ("cifar10", ("horse",)), "own": ("folder", ("bird", "horse"))}
    for name, (source, classes) in kinds.items():
        config = {
            "family": "acai",
            "data": {"source": source, "classes": classes},
            "model": SIZES | {"colours": 1},
        }
        release.write(folder / name, config, state, {"latents": np.zeros(1)})
    config = {"family": "classifier", "data": {"source": "cifar10"}, "model": {"class_names": ("cat", "dog")}}
    release.write(folder / "classifier", config, state)
    for path in (folder / "small" / name / f"{number}.png" for name in ("bird", "horse") for number in range(40)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name, classes in (("gan", 0), ("cgan", 2)):
        config = {"family": "gan", "data": {"source": "cifar10"}}
        config["model"] = {"classes": classes, "class_names": ("horse", "bird")}
        release.write(folder / name, config, state)
    return folder


@pytest.mark.slow
def test_lines_are_measured_and_reported(runs, tmp_path):
    result = evaluate(f"--source={runs}/lines", f"--out={tmp_path}/out")
    assert result.returncode == 0, result.stderr
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    names = list(metrics["sections"]["Lines"]["figures"])
    assert "lines_mean_distance_256" in names and "lines_smoothness_256" in names
    for name in names:
        assert name in result.stdout
    assert result.stderr.startswith("measuring: lines (about ") and result.stderr.count("measuring") == 1
    assert result.stdout.splitlines()[-2:] == [f"{tmp_path}/out/metrics.json", f"{tmp_path}/out/report.html"]


@pytest.mark.slow
def test_two_models_are_measured_and_compared(runs, tmp_path):
    result = evaluate(f"--source=acai_lines,{runs}/lines", "--suite=lines", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "of each of 2 models; about 2 minutes" in result.stderr and "suite 2 of 2: lines of " in result.stderr
    folder = tmp_path / "out" / "evaluate" / "acai_lines-and-1-more-lines"
    sections = json.loads((folder / "metrics.json").read_text())["sections"]
    first, second, paper = sections["Comparison"]["table"]
    assert paper["model"] == "ACAI, the paper's" and [first["sources"], second["sources"]] == [
        ["acai_lines"],
        ["lines"],
    ]
    for row, name in ((first, "acai_lines"), (second, "lines")):
        figure = sections[f"Lines of {name}"]["figures"]["lines_mean_distance_256"]
        assert row["mean distance"] == {"mean": figure["value"], "deviation": None, "count": 1}
    assert result.stdout.startswith("Comparison\n") and "Lines of acai_lines" in result.stdout


REFUSALS = {
    "--source=nowhere": ["--source", "nowhere"],
    "--source={runs}/animals --suite=everything": ["suite", "blend", "probe", "all"],
    "--source={runs}/horses --suite=probe": ["measured with --suite=path.", "at least 2 classes, not 1"],
    "--source={runs}/cgan --suite=blend --first=deer": ["--first", "horse, bird", "deer and bird"],
    "--source={runs}/gan --features=eyes": ["eyes", "inception"],
    "--source={runs}/own --suite=all": ["--image_folder", "own was trained on", "none"],
    "--source={runs}/own --image_folder={runs}/small": ["with --suite=probe.", "--suite=blend", "8 of 80"],
    "--source={runs}/animals --first=deer": ["--first", "horse, bird", "deer and bird"],
    "--source={runs}/animals --second=deer": ["--second", "horse, bird", "horse and deer"],
    "--source={runs}/animals --features=eyes": ["eyes", "inception"],
    "--source={runs}/animals --samples=5": ["samples", "100"],
    "--source={runs}/animals --features={runs}/classifier --data_dir=/dev/null": ["/dev/null"],
    "--source={runs}/animals --suite=search --pictures=nowhere": ["--pictures", "nowhere, no such path"],
    "--source={runs}/animals --suite=search --data_dir={runs}": ["downloading is off"],
    "--source={runs}/lines --out=/dev/null/out": ["--out", "/dev/null"],
    "--source={runs}/animals --answers=a.json": ["--answers can only be used with --suite=viewers"],
    "--source={runs}/animals --pictures={runs}": ["with --suite=search or --suite=viewers"],
    "--suite=viewers --earlier_answers=a.json": ["--earlier_answers can only be used with --answers"],
    "--suite=viewers --answers=a.json --out=nowhere": ["--out", "nowhere", "key.json"],
    "--source=acai_lines,{runs}/lines,acai_lines": ["each model once", "acai_lines and acai_lines"],
    "--source={runs}/lines,{runs}/animals": [
        "of one kind",
        "data lines and",
        "animals of kind acai, data cifar10",
    ],
    "--source={runs}/animals,pegasus": ["with --suite=lines or --suite=probe or --suite=path. Received: blend"],
    "--source=acai_lines,{runs}/lines --suite=viewers --answers=a.json": ["measured with --suite=lines."],
}


@pytest.fixture(scope="module")
def outcomes(runs):
    """{arguments: (status, stdout, stderr)} of all REFUSALS, see forks.py."""
    lines = [arguments.format(runs=runs).split() for arguments in REFUSALS]
    forked = start(runs, "-c", FORKS.replace("generate", "evaluate"), input=json.dumps(lines))
    assert forked.returncode == 0, forked.stderr
    return dict(zip(REFUSALS, json.loads(forked.stdout), strict=True))


@pytest.mark.parametrize("arguments", REFUSALS)
def test_bad_input_gets_one_line(outcomes, arguments):
    assert_refusal(outcomes[arguments], *REFUSALS[arguments])


def run_with_evaluate(program, *arguments):
    """Runs a program after importing evaluate.py and parsing its flags; returns its last line, parsed as JSON."""
    program = f"""
import json, sys
import evaluate
from common import cli, release
cli.parse_flags(["evaluate.py", *{arguments!r}])
{program}
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("suite", "present", "missing"),
    [
        ("blend", ["classifier"], "referee/config.json"),
        ("blend", ["classifier", "referee"], "/dev/null"),  # the data, which is checked next
        ("search", ["referee"], "wing_referee/config.json"),
    ],
)
def test_the_classifiers_of_a_suite_are_checked_before_tensorflow_is_imported(
    runs, tmp_path, suite, present, missing
):
    config = {"family": "classifier", "data": {"source": "cifar10"}, "model": {"class_names": ("cat", "dog")}}
    for name in present:
        release.write(tmp_path / name, config, {"a": np.zeros(1)})
    program = f"""
from pathlib import Path
release.BUNDLED = Path({str(tmp_path)!r})
try:
    evaluate.main()
except cli.InputError as error:
    print(json.dumps([str(error), "tensorflow" in sys.modules]))
"""
    source, features = f"--source={runs}/animals", f"--features={runs}/classifier"
    flags = source, features, f"--suite={suite}", "--data_dir=/dev/null"
    error, tensorflow_imported = run_with_evaluate(program, *flags)
    assert missing in error and not tensorflow_imported


def test_the_flags_make_the_config():
    program = """
import dataclasses
release = evaluate.Release.read("pegasus")
print(json.dumps(dataclasses.asdict(evaluate.read_config(["search"], release))))
"""
    config = run_with_evaluate(program, "--suite=search", "--pictures=tests", "--samples=200", "--seed=3")
    out = os.path.join("out", "evaluate", "pegasus-search")
    expected = EvaluationConfig("horse", "bird", samples=200, seed=3, pictures="tests", out=out)
    assert config == dataclasses.asdict(expected)
