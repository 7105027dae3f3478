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
    emissions: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor, transitions: torch.Tensor
) -> torch.Tensor:
    """Return the negative log-likelihood of the labels of each window, of shape (windows,).

    :param emissions: of shape (windows, length, labels).
    :param labels: label ids, of shape (windows, length); anything where ``mask`` is False.
    :param mask: the subwords that carry a label, of shape (windows, length).
    """
    emissions, labels, mask = gathered(emissions, labels, mask)
    labels = labels.where(mask, 0)
    picked = emissions.gather(2, labels[..., None])[..., 0]
    steps = transitions[labels[:, :-1], labels[:, 1:]]
    gold = (picked * mask).sum(1) + (steps * mask[:, 1:]).sum(1)
    total = emissions[:, 0]
    for step in range(1, emissions.shape[1]):
        paths = torch.logsumexp(total[:, :, None] + transitions, dim=1) + emissions[:, step]
        total = torch.where(mask[:, step, None], paths, total)
    return (torch.logsumexp(total, dim=1) - gold) * mask[:, 0]


def gathered(
    emissions: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the three without what no window has labels for: the labelled subwords of each stand first, in order."""
    longest = max(1, int(mask.sum(1).max()))
    order = torch.argsort(~mask, dim=1, stable=True)[:, :longest]
    labels, mask = labels.gather(1, order), mask.gather(1, order)
    return emissions.gather(1, order[..., None].expand(-1, -1, emissions.shape[2])), labels, mask
