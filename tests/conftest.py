"""Before anything loads torch: threads that wait shall sleep, or tests crawl on a machine that is busy."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
