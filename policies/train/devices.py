"""One process or many: where tensors live, how gradients meet, and how sharded tensors become whole again.

One process needs nothing. Started by `accelerate launch` or `torchrun`, accelerate finds device and process group; then
the model is replicated (DDP) or, with `shard = true` or FSDP in accelerate's configuration, sharded layer by layer
(`fully_shard`): fp32 shards that compute in bf16.
"""

from __future__ import annotations

import atexit
import os
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from policies.train.recipe import StageRecipe
from tools.errors import UsageError

if TYPE_CHECKING:
    from policies.train.learner import Learner


class Devices:
    """`rank` of `world` processes, computing on `device`; `shards` says that parameters are spread over them."""

    def __init__(self, recipe: StageRecipe) -> None:
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.shards = sharded(recipe)
        if self.world > 1:
            try:
                from accelerate import Accelerator
            except ImportError as error:
                raise UsageError("several processes need accelerate: pip install 'p2g[train]'") from error
            accelerator = Accelerator(cpu=self.device == "cpu")
            atexit.register(_leave)
            self.device, self.rank = str(accelerator.device), accelerator.process_index
        elif recipe.shard:
            raise UsageError("shard = true needs several processes: start with accelerate launch or torchrun")

    @property
    def main(self) -> bool:
        return self.rank == 0

    def wrap(self, learner: Learner, precision: str) -> nn.Module:
        """What to call instead of `learner`, so that gradients are averaged over the processes."""
        if self.world == 1:
            return learner
        if not self.shards:
            from torch.nn.parallel import DistributedDataParallel

            sees = learner.model.vision_tower is not None  # a batch may have no picture, or none for the resampler
            return DistributedDataParallel(learner, find_unused_parameters=sees)
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

        compute = torch.bfloat16 if precision == "bf16" else torch.float32
        policy = MixedPrecisionPolicy(param_dtype=compute, reduce_dtype=torch.float32)
        mesh = init_device_mesh(self.device.split(":")[0], (self.world,))
        learner.float()
        trunk: Any = learner.trunk
        for layer in trunk.layers:
            fully_shard(layer, mesh=mesh, mp_policy=policy)
        sharded: Any = fully_shard(learner, mesh=mesh, mp_policy=policy)
        return sharded

    def sum(self, values: list[float]) -> list[float]:
        """The values added up over all processes."""
        if self.world == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(tensor)
        return tensor.tolist()

    def gather(self, value: Any) -> list[Any]:
        """JSON-like `value` of every process, by rank."""
        if self.world == 1:
            return [value]
        found: list[Any] = [None] * self.world
        torch.distributed.all_gather_object(found, value)
        return found


def sharded(recipe: StageRecipe) -> bool:
    """Whether parameters are to be spread over processes: by the recipe, or by accelerate's configuration."""
    fsdp = os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"
    return recipe.shard or (fsdp and int(os.environ.get("WORLD_SIZE", 1)) > 1)


def _leave() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def whole(tensor: Tensor) -> Tensor:
    """A copy of `tensor` on the CPU, gathered where it is sharded; every process must call it."""
    gathered: Any = tensor.detach()
    if hasattr(gathered, "full_tensor"):
        gathered = gathered.full_tensor()
    return gathered.to("cpu", copy=True)


def spread(into: Tensor, value: Tensor) -> None:
    """Copy whole `value` into `into`, each process its shard."""
    if hasattr(into, "device_mesh"):
        from torch.distributed.tensor import distribute_tensor

        target: Any = into
        value = distribute_tensor(value.to(target.device), target.device_mesh, target.placements)
    into.detach().copy_(value)
