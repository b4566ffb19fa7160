"""Settings that make training slower cause warnings. Rates are images per second by (precision, compiled)."""

from gpu_check import speed


def test_a_slower_compiled_step_causes_a_warning():
    rates = {("float32", False): 100.0, ("float32", True): 90.0}
    assert speed.speed_warnings(rates) == ["float32_compiled is 0.90 times as fast as float32_uncompiled"]


def test_slower_float16_causes_a_warning():
    rates = {("float32", True): 100.0, ("mixed_float16", True): 80.0}
    assert speed.speed_warnings(rates) == ["mixed_float16_compiled is 0.80 times as fast as float32_compiled"]


def test_settings_that_pay_cause_no_warning():
    rates = {("float32", False): 1.0, ("float32", True): 2.0, ("mixed_float16", False): 3.0}
    assert speed.speed_warnings(rates | {("mixed_float16", True): 4.0}) == []
