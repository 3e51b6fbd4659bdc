"""The kernels in NumPy: what each of them means, and what runs where numba is not installed."""

from mot_reid.kernels.plain.assignment import *
from mot_reid.kernels.plain.boxes import *
from mot_reid.kernels.plain.claims import *
from mot_reid.kernels.plain.looks import *
from mot_reid.kernels.plain.motion import *
from mot_reid.kernels.plain.view import *
