"""Heads: what stands on the encoder and how it learns, their settings, and what becomes of a head of a plugin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from labelkit.config.plan import Request, make_plan
from labelkit.errors import LabelkitError
from labelkit.models.heads import LINEAR, BoundHead, cross_entropy
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, HeadBatch, HeadContext, Schema
from labelkit.train.class_weights import describe_weights, resolve_class_weights

TAGS = Schema.bio("ner", "PER", "LOC")
CLASSES = Schema(name="mood", kind="text", labels=("bad", "good"))
CATALOG = Catalog.load(only=["ner", "textcls"])


def refused(*sets: str, catalog: Catalog = CATALOG) -> tuple[str, str]:
    """Return message and hint of the error that these settings give."""
    with pytest.raises(LabelkitError) as caught:
        make_plan(Request(task="ner", sets=sets), catalog)
    return caught.value.message, caught.value.hint or ""


# -- the weights of labels --------------------------------------------------------------------------------------------


def sentences() -> list[Example]:
    return [
        Example(id="1", words=("a", "b", "c"), labels={"ner": ("O", "O", "B-PER")}),
        Example(id="2", words=("d",), labels={"ner": ("O",)}),
    ]


@pytest.mark.parametrize(
    ("setting", "weights"),
    [
        ("none", None),
        ("balanced", (4 / (2 * 3), 4 / (2 * 1), 1, 1, 1)),
        ({"O": 0.5}, (0.5, 1, 1, 1, 1)),
        ({"PER": 2.0, "I-PER": 3.0}, (1, 2, 3, 1, 1)),
        ({"LOC": 0.0}, (1, 1, 1, 0, 0)),
    ],
)
def test_labels_weigh_what_the_setting_says(setting: Any, weights: tuple[float, ...] | None) -> None:
    assert resolve_class_weights(setting, sentences(), "ner", TAGS) == (weights and pytest.approx(weights))


def test_classes_of_texts_are_balanced_too() -> None:
    texts = [Example(id=str(n), text="x", labels={"mood": "good" if n else "bad"}) for n in range(4)]
    assert resolve_class_weights("balanced", texts, "mood", CLASSES) == pytest.approx((2, 2 / 3))


def test_an_unknown_label_in_the_weights_is_named() -> None:
    with pytest.raises(LabelkitError, match=r"train\.class_weights: unknown label 'PRE' \(did you mean PER"):
        resolve_class_weights({"PRE": 2.0}, (), "ner", TAGS)


def test_weights_are_shown_in_one_line() -> None:
    assert describe_weights((0.5, 2.0), CLASSES) == "class weights: bad 0.5, good 2"


def test_the_loss_is_multiplied_by_the_weight_of_the_label() -> None:
    outputs, labels = torch.randn(2, 3, 5), torch.tensor([[0, 1, -100], [3, 0, -100]])
    batch = HeadBatch(outputs=outputs, labels=labels)
    context = HeadContext(schema=TAGS, hidden_size=8)
    weights = (0.5, 2.0, 1.0, 3.0, 1.0)
    plain = cross_entropy(batch, context)
    weighed = cross_entropy(batch, HeadContext(schema=TAGS, hidden_size=8, class_weights=weights))
    torch.testing.assert_close(weighed, plain * torch.tensor([0.5, 2.0, 0.0, 3.0, 0.5, 0.0]))


@pytest.mark.parametrize("value", ["{O = -1}", "3", "{O = 'x'}", "balance"])
def test_other_values_of_class_weights_are_refused(value: str) -> None:
    message, hint = refused(f"train.class_weights={value}")
    assert message.startswith("invalid train.class_weights")
    assert "none, balanced, or a table of names, each with a number, at least 0" in hint


# -- heads of plans ---------------------------------------------------------------------------------------------------


def test_an_unknown_head_suggests_the_nearest() -> None:
    assert refused("train.head=linaer") == ("unknown head 'linaer'", "did you mean linear?")


def test_scores_of_the_linear_head_are_those_of_torch() -> None:
    outputs = torch.randn(7, 5) * 4
    found = BoundHead.linear(TAGS).scores(outputs.numpy())
    np.testing.assert_allclose(found, torch.log_softmax(outputs, -1).numpy(), atol=1e-6)


def test_the_linear_head_describes_itself_as_transformers_does() -> None:
    config = BoundHead.linear(CLASSES).config
    assert config == {"num_labels": 2, "id2label": {0: "bad", 1: "good"}, "label2id": {"bad": 0, "good": 1}}
    assert LINEAR.module is None
