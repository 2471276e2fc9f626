"""Where long work is computed: parameters of the place, none of what is computed, so no stage follows from them."""

from typing import Annotated, Literal, get_args

import pydantic
from pydantic import Field

from pipeline.params.kinds import Count
from pipeline.params.sections import Section

Engine = Literal["here", "dask"]
HERE, DASK = get_args(Engine)
Held = Literal["whole", "blocks"]  # what a worker has in memory of a gallery: all of it, or one block after another
WHOLE, BLOCKS = get_args(Held)


class Slurm(Section):
    """One of the jobs that SLURM is asked for: a process with its cores, and its GPU where it has one."""

    partition: str | None = None
    account: str | None = None
    cores: Count
    memory: Annotated[str, Field(pattern=r"^\d+ ?[MG]i?B$")]
    walltime: Annotated[str, Field(pattern=r"^\d{1,3}:\d\d:\d\d$")]
    jobs: Count
    gpu: bool = False
    directives: list[str] = []  # further lines of a job's head, as `--requeue`


class Scale(Section):
    """Who computes: this process, or Dask's workers under a scheduler, or in jobs of SLURM's that it is asked for."""

    engine: Engine = "here"
    scheduler: str | None = None  # an address, tcp://host:8786, or a scheduler file
    slurm: Slurm | None = None
    gallery: Held = "whole"
    patience: Count = 600  # seconds that the first worker may take to come, or all may be away

    @pydantic.model_validator(mode="after")
    def _one_place(self):
        named = [name for name in ("scheduler", "slurm") if getattr(self, name)]
        if len(named) != (self.engine == DASK):
            raise ValueError(
                "engine: dask needs a scheduler or slurm, one of the two, and engine: here takes neither. "
                f"Received: engine: {self.engine} with {named}"
            )
        return self
