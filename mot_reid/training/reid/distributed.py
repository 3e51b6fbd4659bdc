"""One training in several processes, as `torchrun` starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from mot_reid.wording import counted

__all__ = ["ALONE", "Group", "join_group"]


class Group(NamedTuple):
    """The processes of a training.

    Attributes:
        rank: of this process, from 0.
        size: how many there are.
        device: of this process.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def leads(self) -> bool:
        """Whether this is the process that evaluates, writes and talks."""
        return self.rank == 0

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes."""
        if self.size > 1:
            values = values.to(self.device)
            dist.all_reduce(values)
        return values / self.size

    def wait(self) -> None:
        """Go on when all processes are here."""
        if self.size > 1:
            dist.barrier()


ALONE = Group()
_PATIENCE = timedelta(hours=12)  # the others wait while the leading process asks the teachers


@contextmanager
def join_group(device: str) -> Iterator[Group]:
    """Join the group that torchrun's environment variables describe; alone without them.

    Args:
        device: `cpu`, or `cuda` in any form, of which each process takes the one of its local rank.

    Raises:
        ValueError: there are more processes than CUDA devices.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group(device=device)
        return
    on_cuda = torch.device(device).type == "cuda"
    if on_cuda:
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise ValueError(
                f"torchrun: process {local} finds {counted(torch.cuda.device_count(), 'CUDA device')}; "
                "start as many processes as there are"
            )
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if on_cuda else "gloo", timeout=_PATIENCE)
    try:
        yield Group(dist.get_rank(), size, device)
    finally:
        dist.destroy_process_group()
