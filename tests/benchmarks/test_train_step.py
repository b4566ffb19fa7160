"""benchmarks/train_step.py prints its measurements, for ACAI and for a GAN with several critic steps."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINE = (
    r".* on \d+ CPU cores: [\d.]+ images/s, waiting for data [\d.]+%, \d+ GFLOP/s = \d+% of a large {} convolution"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "begins", "type_of_convolution"),
    [
        (["--depth=2"], "acai depth 2 latent 4x4x16 batch 8 float32, XLA ", "float32"),
        (
            "--depth=2 --latent_width=8 --adversarial_weight=0.1 --r1_weight=0.03 --masked_blends=0.6".split(),
            "acai depth 2 latent 8x8x16 batch 8 float32, XLA ",
            "float32",
        ),
        (
            ["--depth=2", "--precision=mixed_bfloat16"],
            "acai depth 2 latent 4x4x16 batch 8 mixed_bfloat16, ",
            "bfloat16",
        ),
        (["--model=wgan", "--width=4", "--block=2"], "wgan width 4, 4 noise 100 batch 8 float32, XLA ", "float32"),
    ],
)
def test_it_prints_what_it_measured(words, begins, type_of_convolution):
    command = [sys.executable, "benchmarks/train_step.py", "--batch=8", "--steps=1", *words]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith(begins) and re.match(LINE.format(type_of_convolution), found.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "rate"), [("float32", 2.0), ("mixed_bfloat16", 8.0)])
def test_it_compares_with_a_peer_of_the_same_precision(precision, rate, tmp_path):
    """The peer claims 8 images/s if it is asked for bfloat16, else 2."""
    script = tmp_path / "peer.py"
    script.write_text('import sys\nprint("3 layers:", 8.0 if "--bfloat16" in sys.argv else 2.0, "images/s")\n')
    flags = ["--batch=8", "--steps=1", "--depth=2", f"--precision={precision}"]
    command = [sys.executable, "benchmarks/train_step.py", *flags, f"--peer={sys.executable} {script}"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    measured, compared = found.stdout.splitlines()
    ours = float(re.search(r"([\d.]+) images/s", measured)[1])
    assert compared.endswith(f"times the peer's {rate} before and {rate} after, {precision}")
    assert float(compared.split()[0]) == pytest.approx(ours / rate, abs=0.03)
