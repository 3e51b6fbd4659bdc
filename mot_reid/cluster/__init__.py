"""Many videos on one machine's cores or on a Ray cluster: nothing lost, nothing done twice."""
