"""One encoder with a classifier for each of several tasks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from labelkit import Schema
from labelkit.errors import ModelError
from labelkit.models.heads import BoundHead
from labelkit.records.heads import IGNORE_INDEX

pytestmark = pytest.mark.slow  # loads torch models

HEADS = {
    "ner": BoundHead.linear(Schema.bio("ner", "PER", "LOC")),
    "pos": BoundHead.linear(Schema(name="pos", kind="token", labels=("NOUN", "VERB", "DET"))),
}


@pytest.fixture
def joint(tiny: Path) -> Any:
    import torch

    from labelkit.models.joint import load_joint

    torch.manual_seed(3)
    return load_joint(tiny, HEADS).eval()


def a_batch() -> dict[str, Any]:
    import torch

    return {"input_ids": torch.tensor([[2, 7, 8, 9, 3]]), "attention_mask": torch.ones(1, 5, dtype=torch.long)}


def labels(**present: list[int]) -> dict[str, Any]:
    import torch

    return {task: torch.tensor([present.get(task, [IGNORE_INDEX] * 5)]) for task in HEADS}


def test_the_encoder_reads_a_batch_once_and_each_task_gets_what_its_own_model_gives(joint: Any) -> None:
    import torch

    calls: list[int] = []
    hook = joint.models["ner"].base_model.register_forward_hook(lambda *args: calls.append(1))
    together = joint(**a_batch())
    hook.remove()
    assert calls == [1]
    assert {task: output.logits.shape[-1] for task, output in together.items()} == {"ner": 5, "pos": 3}
    for task, output in together.items():
        with joint.plain(task) as model:
            assert torch.equal(model(**a_batch()).logits, output.logits)


def test_a_task_without_labels_in_a_batch_gets_exactly_zero_gradient(joint: Any) -> None:
    import torch

    from labelkit.models.joint import joint_loss

    loss = joint_loss(joint(**a_batch()), labels(ner=[IGNORE_INDEX, 1, 0, 2, IGNORE_INDEX]), HEADS, {})
    loss.backward()
    without, trained = joint.models["pos"].classifier, joint.models["ner"].classifier
    assert all(torch.count_nonzero(value.grad) == 0 for value in without.parameters())
    assert all(torch.count_nonzero(value.grad) for value in trained.parameters())
    encoder = {name: value.grad.clone() for name, value in joint.models["ner"].base_model.named_parameters()}
    joint.zero_grad()
    only = {"ner": HEADS["ner"]}
    joint_loss(joint(**a_batch()), labels(ner=[IGNORE_INDEX, 1, 0, 2, IGNORE_INDEX]), only, {}).backward()
    for name, value in joint.models["ner"].base_model.named_parameters():
        assert torch.equal(encoder[name], value.grad), name


def test_losses_are_means_over_labels_and_weighted(joint: Any) -> None:
    import torch

    from labelkit.models.joint import joint_loss

    outputs = {task: {"logits": torch.zeros(1, 5, head.labels)} for task, head in HEADS.items()}
    gold = labels(ner=[0, 1, 2, 3, 4], pos=[0, 1, 2, IGNORE_INDEX, IGNORE_INDEX])
    assert float(joint_loss(outputs, gold, HEADS, {})) == pytest.approx(math.log(5) + math.log(3))
    assert float(joint_loss(outputs, gold, HEADS, {"pos": 0.25})) == pytest.approx(math.log(5) + math.log(3) / 4)


def test_a_loss_is_divided_by_that_of_the_frequencies_of_the_labels() -> None:
    import numpy as np

    from labelkit.train.joint_loss_weights import loss_of_frequencies

    three = Schema(name="pos", kind="token", labels=("A", "B", "C"))
    ids = np.array([0, 0, IGNORE_INDEX, 0, 1, IGNORE_INDEX])
    assert loss_of_frequencies(ids, 2, three) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert loss_of_frequencies(np.zeros(9, np.int32), 1, three) == pytest.approx(0.1 * math.log(3))
    assert loss_of_frequencies(np.zeros(0, np.int32), 0, three) == pytest.approx(math.log(3))
    topics = Schema(name="topics", kind="text", labels=("A", "B", "C"), multilabel=True)
    assert loss_of_frequencies(np.array([0, 0, 1]), 4, topics) == pytest.approx(
        math.log(2) - 0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    )
    numbers = Schema(name="score", kind="text", numeric=True)
    assert loss_of_frequencies(np.array([1.0, 3.0], np.float32), 2, numbers) == pytest.approx(1.0)
    assert loss_of_frequencies(np.array([3.0], np.float32), 1, numbers) == pytest.approx(1.0)


def test_a_saved_model_is_plain_for_the_first_task_and_loads_with_all(joint: Any, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForTokenClassification

    from labelkit.models.checkpoint_files import JOINT_WEIGHTS
    from labelkit.models.joint import load_joint, save_joint

    save_joint(joint, tmp_path)
    before = joint(**a_batch())
    plain, report = AutoModelForTokenClassification.from_pretrained(str(tmp_path), output_loading_info=True)
    assert not any(report.values())
    assert torch.equal(plain.eval()(**a_batch()).logits, before["ner"].logits)
    again = load_joint(tmp_path, HEADS, trained=True).eval()(**a_batch())
    assert all(torch.equal(again[task].logits, before[task].logits) for task in HEADS)
    save_file({"another.weight": torch.zeros(2)}, tmp_path / JOINT_WEIGHTS)
    with pytest.raises(ModelError, match=r"joint_heads\.safetensors does not fit the tasks pos"):
        load_joint(tmp_path, HEADS, trained=True)
    (tmp_path / JOINT_WEIGHTS).unlink()
    with pytest.raises(ModelError, match=r"joint_heads\.safetensors cannot be read"):
        load_joint(tmp_path, HEADS, trained=True)


def test_each_task_can_be_written_as_a_plain_folder(joint: Any, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForTokenClassification

    wanted = joint(**a_batch())["pos"].logits
    with joint.plain("pos") as model:
        model.save_pretrained(tmp_path)
    plain = AutoModelForTokenClassification.from_pretrained(str(tmp_path)).eval()
    assert plain.config.id2label == {0: "NOUN", 1: "VERB", 2: "DET"}
    assert torch.equal(plain(**a_batch()).logits, wanted)


@pytest.mark.parametrize("order", [("ner", "sentiment"), ("sentiment", "ner")])
def test_words_and_texts_share_an_encoder(order: tuple[str, str], tiny: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    from labelkit.models.joint import load_joint, save_joint

    texts = BoundHead.linear(Schema(name="sentiment", kind="text", labels=("bad", "good")))
    heads = {task: {"ner": HEADS["ner"], "sentiment": texts}[task] for task in order}
    mixed = load_joint(tiny, heads).eval()
    before = mixed(**a_batch())
    save_joint(mixed, tmp_path / "all")
    loaded = load_joint(tmp_path / "all", heads, trained=True).eval()
    weights = loaded.state_dict()
    assert weights.keys() == mixed.state_dict().keys()
    assert all(torch.equal(weights[name], value) for name, value in mixed.state_dict().items())
    again = loaded(**a_batch())
    for task, auto in (("ner", AutoModelForTokenClassification), ("sentiment", AutoModelForSequenceClassification)):
        # the weights are bit-identical; logits of texts were seen to differ by 4e-9, cause unknown
        torch.testing.assert_close(again[task].logits, before[task].logits)
        with mixed.plain(task) as model:
            model.save_pretrained(tmp_path / task)
        plain, report = auto.from_pretrained(str(tmp_path / task), output_loading_info=True)
        assert not any(report.values())
        torch.testing.assert_close(plain.eval()(**a_batch()).logits, before[task].logits)
    assert torch.equal(mixed(**a_batch())["ner"].logits, before["ner"].logits)


SENTENCES = [["Ada", "slept", "in", "New", "York", "."], ["\u200b"], ["It", "rained"] * 40, []]
TEXTS = {
    "tone": BoundHead.linear(Schema(name="tone", kind="text", labels=("bad", "good"))),
    "topic": BoundHead.linear(Schema(name="topic", kind="text", labels=("war", "art", "sport"))),
}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("heads", [HEADS, TEXTS], ids=["words", "texts"])
def test_one_pass_gives_the_scores_of_each_task_bit_by_bit(
    heads: dict[str, BoundHead], precision: str, tiny: Path
) -> None:
    import numpy as np
    import torch

    from labelkit.encode.alignment import Encoding, encode, encode_texts
    from labelkit.inference.engine import Engine, fallback_of
    from labelkit.inference.joint_engine import joined_torch_engine, outputs_of, split_scores
    from labelkit.inference.prediction import score_windows
    from labelkit.models.joint import load_joint
    from labelkit.models.tokenizer import load_tokenizer

    torch.manual_seed(3)
    joint, encoding = load_joint(tiny, heads).train(), Encoding.of(load_tokenizer(tiny), 24, 4)
    kind = next(iter(heads.values())).context.schema.kind
    encoded = encode(encoding, SENTENCES) if kind == "token" else encode_texts(encoding, list(map(" ".join, SENTENCES)))
    lengths = np.array([len(words) if kind == "token" else 1 for words in SENTENCES])
    fallback = {task: head.context.schema.label_names[-1] for task, head in heads.items()}
    parts = {task: outputs_of(head, fallback[task], joint.models[task]) for task, head in heads.items()}
    engine = joined_torch_engine(joint, parts, encoding, precision, 64)
    calls: list[int] = []
    hook = joint.first.base_model.register_forward_hook(lambda *args: calls.append(1))
    together = split_scores(score_windows(engine, encoded.windows, lengths, engine.head.context.schema), parts)
    hook.remove()
    assert joint.training  # as before
    for task, head in heads.items():
        own: list[int] = []
        with joint.plain(task) as model:
            hook = joint.first.base_model.register_forward_hook(lambda *args, own=own: own.append(1))
            single = Engine(
                model, encoding, precision, 64, head=head, **fallback_of(head.context.schema, fallback[task])
            )
            alone = score_windows(single, encoded.windows, lengths, head.context.schema)
            hook.remove()
        assert len(own) == len(calls) > 1
        assert np.array_equal(together[task].values, alone.values)
        assert np.array_equal(together[task].covered, alone.covered)
        assert not alone.covered.all()


def test_tasks_whose_encoders_differ_inside_are_refused(joint: Any, tmp_path: Path) -> None:
    from labelkit.models.joint import JointModel
    from labelkit.models.loading import load_classifier
    from labelkit.models.tiny import make_tiny

    other = load_classifier(make_tiny("roberta", tmp_path), HEADS["pos"])
    with pytest.raises(ModelError, match="'ner' and 'pos' cannot share the encoder"):
        JointModel({"ner": joint.models["ner"], "pos": other})
