"""How far queries are from their nearest vectors, which tells queries of another kind.

Measured (docs/measurements.md): fresh queries of the base's kind differ by .02 to .05 from those of
a calibration in the share that is within any distance, and those that got much less than they
asked for by .2 and more. Distances to the nearest heads do not tell as well: of noise in 64
dimensions, fresh queries are farther from all heads than the vectors that these are means of.
"""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

EDGES = 19  # the twentieths


@dataclass(frozen=True, slots=True)
class Nearness:
    """Distances, ascending, and the share of the queries whose nearest vector is within each.

    They are scale-free, as HeadSpace has it.
    """

    edges: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, distances: NDArray[np.floating[Any]]) -> Self:
        """Return the nearness of queries by the distance of each one's nearest vector."""
        known = np.sort(distances[np.isfinite(distances)])
        at = np.arange(1, EDGES + 1) * len(known) // (EDGES + 1)
        edges = np.unique(known[at]) if len(known) else known
        shares = np.searchsorted(known, edges, side="right") / max(1, len(known))
        return cls([float(edge) for edge in edges], [float(share) for share in shares])
