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
