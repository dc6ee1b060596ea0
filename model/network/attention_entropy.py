"""What a trained model attends to: the entropy of its attention, uniform or not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model.network.block import Block
from model.network.patchtst import PatchTST
from model.windows import Windows, to_tensor

WINDOWS_READ = 512


@torch.no_grad()
def attention_entropy(model: PatchTST, windows: Windows, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Measure how spread the attention of every head is, as a share of the uniform distribution's entropy.

    1 is a head that looks at every patch alike, whatever it holds: what it computes is a mean; 0 looks
    at one patch only.  NaN where there is one patch.

    Parameters
    ----------
    model : PatchTST
        Trained.
    windows : Windows
        Of its spec.
    rows : ndarray of shape (rows,)
        Forecast rows; at most 512, evenly spaced, are read.

    Returns
    -------
    ndarray of shape (layers, heads)
        Mean over windows and querying patches.
    """
    model.eval()
    chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), WINDOWS_READ)).astype(np.int64)]
    blocks = [block for block in model.blocks if isinstance(block, Block)]
    found: list[Tensor] = []
    handles = [block.attention_norm.register_forward_hook(_reader(block, found)) for block in blocks]
    try:
        model(windows.batch(to_tensor(chosen, windows.x_NTF.device))[0])
    finally:
        for handle in handles:
            handle.remove()
    assert len(found) == len(blocks)
    return torch.stack(found).cpu().numpy().astype(np.float64)


def _reader(block: Block, found: list[Tensor]) -> Callable[..., None]:
    """Compute the block's attention anew from its normed input, shape (heads,) appended."""

    def read(module: nn.Module, inputs: Any, normed_BPD: Tensor) -> None:
        B, P, D = normed_BPD.shape
        qkv_BP3HK = block.query_key_value(normed_BPD).view(B, P, 3, block.n_heads, D // block.n_heads)
        query_BHPK, key_BHPK, _ = qkv_BP3HK.permute(2, 0, 3, 1, 4)
        scores_BHPP = query_BHPK @ key_BHPK.transpose(2, 3) / math.sqrt(D // block.n_heads)
        entropy_BHP = torch.special.entr(scores_BHPP.softmax(-1)).sum(-1)
        found.append(entropy_BHP.mean((0, 2)) / math.log(P) if P > 1 else torch.full((block.n_heads,), math.nan))

    return read
