"""The kernels as loops for numba: each does what its namesake in ``numpy`` says, and tests hold it to that.

Compiled when imported, and kept in ``__pycache__`` beside each file, or in the cache of the user where that
cannot be written: it takes seconds once, and a fraction of one from then on. Processes that start at once
share the work.
"""

from mot_reid.kernels.numba.compiling import import_in_turn

import_in_turn(
    f"{__name__}.{file}"
    for file in ("appearance", "association", "boxes", "motion", "assignment", "border")  # the longest first
)

from mot_reid.kernels.numba.appearance import *
from mot_reid.kernels.numba.assignment import *
from mot_reid.kernels.numba.association import *
from mot_reid.kernels.numba.border import *
from mot_reid.kernels.numba.boxes import *
from mot_reid.kernels.numba.motion import *
