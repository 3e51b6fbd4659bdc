"""The kernels in NumPy: what each of them means, and what runs where numba is not installed."""

from mot_reid.kernels.numpy.appearance import *
from mot_reid.kernels.numpy.assignment import *
from mot_reid.kernels.numpy.association import *
from mot_reid.kernels.numpy.border import *
from mot_reid.kernels.numpy.boxes import *
from mot_reid.kernels.numpy.motion import *
