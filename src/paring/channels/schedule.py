"""Pruning while training: in stages along a path of costs, fine-tuning between (Algorithm 2)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import msgspec
import numpy as np
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from paring.channels.carrying import averages, cut_optimiser, flat_places
from paring.channels.costs import model_costs
from paring.channels.plan import PrunePlan
from paring.channels.planning import make_plan
from paring.channels.stages import Pruning, Spread, Stage, check_stages
from paring.channels.structure import find_structure
from paring.channels.tracing import Forward
from paring.channels.tracking import Tracker, track
from paring.errors import InputError
from paring.models.cuts import apply_cuts
from paring.training.keeping import Best
from paring.training.lessons import Lesson
from paring.training.stopping import Limit, steps_ahead


class ProgressivePruning(pl.Callback):
    """Prunes a network in stages while Lightning trains it.

    Until a stage is due, the redundancy of channels is gathered from each step (or gradients, for
    Taylor's criterion). Then the network, the state of its optimisers and averages of its weights
    lose the same channels, in place, and the training goes on. A checkpoint holds the plan so far
    and what was gathered, so a training that was cut short goes on in its pruned shape.

    Parameters
    ----------
    stages : see `Stage` and `path_of_stages`; steps rise and shares fall. Or `Spread`, for stages
        over a training of any length.
    example : what the network takes, of the size at which its MACs count.
    how : see `Pruning`.
    part : name of the network in the LightningModule; ``""`` is all of it.
    forward : how the network is run on the example, for its MACs.
    structure_forward : the same for the structure, where training uses more than that; by default
        that of `find_structure`.
    say : called with a sentence after each stage.
    file : where the plan so far is written after each stage, if anywhere.

    Attributes
    ----------
    plan : of all stages so far, of the network as it was built; None before the first.

    References
    ----------
    Structural Pruning via Spatial-aware Information Redundancy for Semantic Segmentation,
    Algorithm 2.
    """

    def __init__(
        self,
        stages: Sequence[Stage] | Spread,
        example: Any,
        how: Pruning | None = None,
        *,
        part: str = "model",
        forward: Forward | None = None,
        structure_forward: Forward | None = None,
        say: Callable[[str], None] | None = None,
        file: Path | None = None,
    ) -> None:
        self._spread = stages if isinstance(stages, Spread) else None
        self.stages: list[Stage] = []
        if not isinstance(stages, Spread):
            check_stages(stages)
            self.stages = list(stages)
        self.example, self.how = example, how or Pruning()
        self.part, self.forward, self.structure_forward = part, forward, structure_forward
        self.say, self.file = say, file
        self.plan: PrunePlan | None = None
        self._done = 0
        self._base_macs = 0
        self._tracker: Tracker | None = None
        self._gradients: dict[str, Tensor] = {}

    # -- Lightning's hooks --

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Find the structure, start to listen, and be ready for a checkpoint of pruned shape."""
        if stage != "fit":
            return
        if trainer.world_size > 1:
            raise InputError("pruning while training runs on one device; set trainer.devices to 1")
        if self.how.loss_after is not None and not isinstance(pl_module, Lesson):
            raise InputError("loss_after is for trainings of paring; change your loss yourself")
        model = self._model(pl_module)
        self._structure = find_structure(
            model,
            self._placed(model),
            ignored=self.how.ignored,
            forward=self.structure_forward or self.forward,
        )
        costs = model_costs(model, self._placed(model), self._structure, forward=self.forward)
        self._base_macs = costs.macs(np.zeros(len(costs.sizes)))
        if self.how.criterion == "redundancy":
            how = self.how
            self._tracker = track(
                model, self._structure, metric=how.metric, distribution=how.distribution,
                resolution=how.resolution, decay=how.decay, every=how.every,
            )  # fmt: skip
        self._theirs = theirs = pl_module.on_load_checkpoint

        @functools.wraps(theirs)
        def pruned_first(checkpoint: dict[str, Any]) -> None:
            self._resume(trainer, pl_module, checkpoint)
            theirs(checkpoint)

        pl_module.on_load_checkpoint = pruned_first  # type: ignore[method-assign]

    def on_train_start(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        """Refuse a training that ends before its last stage."""
        along = trainer.callbacks  # type: ignore[attr-defined]
        limit = next((c.steps for c in along if isinstance(c, Limit)), None)
        steps = steps_ahead(trainer, limit)
        if self._spread is not None:
            self.stages = self._spread.over(steps)
        last = self.stages[-1].step
        if last >= steps:
            raise InputError(
                f"the last stage of pruning is due after {last} steps, and the training has {steps}"
            )
        if self._done == len(self.stages) and self._tracker is not None:
            self._tracker.close()

    def on_before_optimizer_step(
        self, _: pl.Trainer, pl_module: pl.LightningModule, __: Optimizer
    ) -> None:
        """Gather gradients, and add that of the L1 term on the scales of batch norms."""
        if self._done == len(self.stages):
            return
        model = self._model(pl_module)
        if self.how.criterion == "taylor":
            for name, parameter in model.named_parameters():
                if parameter.grad is not None:
                    known = self._gradients.get(name)
                    grad = parameter.grad.detach().float()
                    self._gradients[name] = grad.clone() if known is None else known.add_(grad)
        if self.how.slimming:
            for norm in self._norms(model):
                if norm.weight.grad is not None:
                    norm.weight.grad.add_(norm.weight.detach().sign(), alpha=self.how.slimming)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any
    ) -> None:
        """Prune where a stage is due."""
        while self._done < len(self.stages) and trainer.global_step >= self.stages[self._done].step:
            self._prune(trainer, pl_module, self.stages[self._done])

    def teardown(self, _: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Stop listening, and leave the module as it was."""
        if stage != "fit":
            return
        if self._tracker is not None:
            self._tracker.close()
        pl_module.on_load_checkpoint = self._theirs  # type: ignore[method-assign]

    def state_dict(self) -> dict[str, Any]:
        """The plan so far, and what was gathered for the next stage."""
        return {
            "plan": None if self.plan is None else self.plan.to_json(),
            "done": self._done,
            "settings": self._settings(),
            "tracker": None if self._tracker is None else self._tracker.state_dict(),
            "gradients": self._gradients,
        }

    # -- the work --

    def _prune(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: Stage) -> None:
        model, how = self._model(pl_module), self.how
        example = self._placed(model)
        gradients = self._lent_gradients(model)
        plan = make_plan(
            model,
            example,
            scores=self._tracker,
            criterion=how.criterion,
            max_macs=stage.keep_macs * self._base_macs,
            score=how.score,
            multiple=how.multiple,
            floor=how.floor,
            ignored=how.ignored,
            apart=how.apart,
            forward=self.forward,
            structure=self._structure,
            seed=how.seed,
        )
        for parameter, own in gradients:
            parameter.grad = own
        self._cut(trainer, pl_module, plan)
        self._change_loss(pl_module)
        self.plan = plan if self.plan is None else self.plan.then(plan)
        if self.file is not None:
            self.plan.save(self.file, overwrite=True)
        self._done += 1
        self._gradients = {}
        for best in (c for c in trainer.callbacks if isinstance(c, Best)):  # type: ignore[attr-defined]
            best.best = float("-inf")  # of the network as it was before
        if self._done == len(self.stages) and self._tracker is not None:
            self._tracker.close()
        if self.say is not None:
            self.say(
                f"pruned after step {trainer.global_step} to {plan.about['macs']:,} MACs, "
                f"{plan.about['macs'] / self._base_macs:.1%} of the first"
            )

    def _cut(self, trainer: pl.Trainer, pl_module: pl.LightningModule, plan: PrunePlan) -> None:
        """Take the channels out of the network, its optimisers' state and its averages."""
        model = self._model(pl_module)
        where = flat_places(model, plan.layers)
        before = dict(model.named_parameters())
        apply_cuts(model, plan.layers)
        now = dict(model.named_parameters())
        for optimiser in trainer.optimizers:
            cut_optimiser(optimiser, before, now, where)
        for average in averages(trainer, self.part):
            apply_cuts(average, plan.layers)
        self._follow(model, plan)

    def _follow(self, model: nn.Module, plan: PrunePlan) -> None:
        """Structure and tracker after a plan of the network as the structure has it."""
        removed = [
            np.setdiff1d(np.arange(group.size), plan.groups[group.name].places)
            for group in self._structure.groups
        ]
        self._structure = self._structure.without(removed, plan.layers)
        if self._tracker is not None:
            self._tracker.cut(self._structure, plan.layers, restart=self.how.restart)
            self._tracker.listen(model)

    def _resume(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: Mapping[str, Any]
    ) -> None:
        """Bring the network to the shape of a checkpoint before its weights are loaded."""
        state = checkpoint.get("callbacks", {}).get(self.state_key)
        if state is None:
            return
        if state["settings"] != self._settings():
            raise InputError(
                "the checkpoint is of a training that is pruned in another way; give the same "
                "settings, or begin anew"
            )
        model = self._model(pl_module)
        if state["plan"] is not None:
            self.plan = PrunePlan.from_json(state["plan"], where="the plan in the checkpoint")
            apply_cuts(model, self.plan.layers)
            for average in averages(trainer, self.part):
                apply_cuts(average, self.plan.layers)
            self._follow(model, self.plan)
            self._change_loss(pl_module)
        self._done = int(state["done"])
        self._gradients = dict(state["gradients"])
        if self._tracker is not None:
            self._tracker.load_state_dict(state["tracker"])

    def _change_loss(self, pl_module: pl.LightningModule) -> None:
        """Go on with the loss that is wished for after the first stage."""
        if self.how.loss_after is not None:
            assert isinstance(pl_module, Lesson)
            recipe = pl_module.recipe
            loss = msgspec.structs.replace(recipe.loss, name=self.how.loss_after)
            pl_module.recipe = msgspec.structs.replace(recipe, loss=loss)

    def _lent_gradients(self, model: nn.Module) -> list[tuple[nn.Parameter, Tensor | None]]:
        """Give the weights the gradients that were gathered; what they had comes back."""
        if self.how.criterion != "taylor":
            return []
        own = []
        for name, parameter in model.named_parameters():
            own.append((parameter, parameter.grad))
            gathered = self._gradients.get(name)
            if gathered is not None:
                parameter.grad = gathered.to(parameter)
        return own

    def _norms(self, model: nn.Module) -> list[_BatchNorm]:
        """Batch norms with channels that may go."""
        paths = {m.layer for group in self._structure.groups for m in group.members}
        return [
            layer
            for path, layer in model.named_modules()
            if path in paths and isinstance(layer, _BatchNorm) and layer.affine
        ]

    def _settings(self) -> str:
        return repr((self._spread or self.stages, self.how))

    def _model(self, pl_module: pl.LightningModule) -> nn.Module:
        model: nn.Module = getattr(pl_module, self.part) if self.part else pl_module
        return model

    def _placed(self, model: nn.Module) -> Any:
        device = next(model.parameters()).device
        example = self.example
        return example.to(device) if isinstance(example, Tensor) else example
