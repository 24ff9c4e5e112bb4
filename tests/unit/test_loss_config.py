"""LossConfig refuses what cannot be meant, by its dotted key."""

import subprocess
import sys

import pytest

from azr.config.loss import Aggregation, Importance, Kl, LossConfig, LossKind
from azr.errors import ConfigError


def test_plain_words_become_members():
    config = LossConfig(loss="gspo", aggregation="dr_grpo", max_length=64, kl="k3+", kl_coef=0.1)
    assert config.loss is LossKind.GSPO
    assert config.aggregation is Aggregation.DR_GRPO
    assert config.kl is Kl.K3_PLUS
    assert config.changed(importance="tis").importance is Importance.TIS


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("loss", {"loss": "grpo"}),
        ("kl", {"kl": "k9"}),
        ("backend", {"backend": "cuda"}),
        ("clip_low", {"clip_low": -0.1}),
        ("clip_high", {"clip_high": float("nan")}),
        ("temperature", {"temperature": 0.0}),
        ("logit_scale", {"logit_scale": 0.0}),
        ("softcap", {"softcap": -1.0}),
        ("dual_clip", {"loss": "dual_clip", "dual_clip": 1.0}),
        ("delta", {"loss": "two_sided", "delta": 1.1}),
        ("max_length", {"aggregation": "dr_grpo"}),
        ("max_length", {"max_length": 5}),
        ("kl_coef", {"kl_coef": 0.1}),
        ("importance_low", {"importance_low": 3.0}),
    ],
)
def test_an_impossible_value_is_refused_by_its_dotted_key(key, values):
    with pytest.raises(ConfigError, match=rf"^loss\.{key} must be"):
        LossConfig(**values)


def test_an_unknown_word_is_answered_with_the_known_ones():
    with pytest.raises(
        ConfigError, match="one of none, k1, abs, k2, k3, k3\\+, k3_corrected, got 'k9'"
    ):
        LossConfig(kl="k9")


def test_the_configuration_needs_no_torch():
    code = "import azr.config.loss, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
