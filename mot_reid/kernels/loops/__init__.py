"""The kernels as loops for numba: each does what its namesake in ``plain`` says, and tests hold it to that.

Compiled when imported, and kept in ``__pycache__`` beside each file, or in the cache of the user where that
cannot be written: it takes seconds once, and a fraction of one from then on.
"""

from mot_reid.kernels.loops.assignment import *
from mot_reid.kernels.loops.boxes import *
from mot_reid.kernels.loops.claims import *
from mot_reid.kernels.loops.looks import *
from mot_reid.kernels.loops.motion import *
from mot_reid.kernels.loops.view import *
