"""Settings that transformers looks at only when it trains: each is an error of one line before that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labelkit.errors import LabelkitError

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"fsdp": "full_shard"}, "train.fsdp cannot be used: one process alone trains"),
    ({"optim_args": "x"}, "train.optim_args cannot be used: "),
    ({"optim_args": "lr=a,b"}, "train.optim_args cannot be used: "),
    ({"lr_scheduler_kwargs": {"x": 1}}, "train.lr_scheduler_kwargs cannot be used: "),
    ({"lr_scheduler_type": "cosine_with_min_lr"}, "train.lr_scheduler_type cannot be used: One of min_lr"),
    ({"lr_scheduler_kwargs": "x"}, "train.lr_scheduler_kwargs cannot be used: it must be a table"),
    ({"optim": "galore_adamw"}, "train.optim cannot be used: You need to install `galore_torch`"),
    ({"optim": "lomo"}, "train.optim cannot be used: You need to install `lomo_optim`"),
    ({"use_liger_kernel": True}, "train.use_liger_kernel cannot be used: liger-kernel is not installed"),
    ({"dataloader_num_workers": -1}, "train.dataloader_num_workers cannot be used: it is negative"),
    ({"gradient_checkpointing_kwargs": {"x": 1}}, "train.gradient_checkpointing_kwargs cannot be used: it has no x"),
    ({"torch_compile": True}, "train.torch_compile cannot be used: there is no C++ compiler"),
    ({"torch_compile_backend": "nothing"}, "train.torch_compile cannot be used: there is no backend 'nothing'"),
]


def try_settings(settings: dict[str, Any], folder: Path) -> None:
    from transformers import TrainingArguments

    from labelkit.train.trial import try_training_settings

    try_training_settings(TrainingArguments(output_dir=str(folder), use_cpu=True, report_to="none", **settings))


@pytest.mark.parametrize(("settings", "said"), REFUSED, ids=str)
def test_settings_that_training_cannot_use_are_one_line(
    settings: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(LabelkitError) as caught:
        try_settings(settings, tmp_path)
    assert caught.value.message.startswith(said)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optim": "adafactor"},
        {"optim": "sgd", "optim_args": "momentum=0.9"},
        {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr": 1e-6}},
        {"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"power": 2.0}},
        {"lr_scheduler_type": "constant"},
        {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}},
    ],
    ids=str,
)
def test_settings_that_it_can_use_pass(settings: dict[str, Any], tmp_path: Path) -> None:
    try_settings(settings, tmp_path)
