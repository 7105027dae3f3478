"""The transitions of a CRF, and the loss that trains them."""

from __future__ import annotations

import torch


class Transitions(torch.nn.Module):
    """Scores of one label (column) after another (row); the outputs of the linear layer pass unchanged.

    There are none for the first and the last label: a window may begin and end within a sentence.
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.transitions = torch.nn.Parameter(torch.zeros(labels, labels))

    def forward(self, outputs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the outputs: the transitions are used by loss and decoder."""
        return outputs


def negative_log_likelihood(
    emissions: torch.Tensor,
    labels: torch.Tensor,
    known: torch.Tensor,
    transitions: torch.Tensor,
    unknown: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the negative log-likelihood of the labels of each window, of shape (windows,).

    :param emissions: of shape (windows, length, labels).
    :param labels: label ids, of shape (windows, length); anything where ``known`` is False.
    :param known: the subwords that carry a label, of shape (windows, length).
    :param unknown: the first subwords of words whose label is unknown: a path goes through them, with any label. None
        for none.
    """
    words = known if unknown is None else known | unknown
    emissions, labels, known, words = gathered(words, emissions, labels, known)
    total = log_sum_of_paths(emissions, words, transitions)
    if unknown is None:
        gold = score_of_path(emissions, labels.where(words, 0), words, transitions)
    else:
        others = torch.arange(emissions.shape[2], device=labels.device) != labels[..., None]
        allowed = emissions.masked_fill(known[..., None] & others, -torch.inf)
        gold = log_sum_of_paths(allowed, words, transitions)
    return (total - gold).where(words[:, 0], 0.0)


def score_of_path(
    emissions: torch.Tensor, labels: torch.Tensor, words: torch.Tensor, transitions: torch.Tensor
) -> torch.Tensor:
    """Return the score of the labels of each window, of shape (windows,)."""
    picked = emissions.gather(2, labels[..., None])[..., 0]
    steps = transitions[labels[:, :-1], labels[:, 1:]]
    return (picked * words).sum(1) + (steps * words[:, 1:]).sum(1)


def log_sum_of_paths(emissions: torch.Tensor, words: torch.Tensor, transitions: torch.Tensor) -> torch.Tensor:
    """Return the log-sum of the scores of all paths through each window, of shape (windows,): the forward algorithm."""
    total = emissions[:, 0]
    for step in range(1, emissions.shape[1]):
        paths = torch.logsumexp(total[:, :, None] + transitions, dim=1) + emissions[:, step]
        total = torch.where(words[:, step, None], paths, total)
    return torch.logsumexp(total, dim=1)


def gathered(words: torch.Tensor, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return tensors of shape (windows, length, …), and ``words``, with only the words of each window, in order, first.

    The length is that of the window with the most words.
    """
    longest = max(1, int(words.sum(1).max()))
    order = torch.argsort(~words, dim=1, stable=True)[:, :longest]
    found = []
    for tensor in (*tensors, words):
        index = order if tensor.dim() == 2 else order[..., None].expand(-1, -1, tensor.shape[2])
        found.append(tensor.gather(1, index))
    return tuple(found)
