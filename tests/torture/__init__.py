"""Random histories of a simulated org and of real replicas, each fully decided by its seed.

`python -m tests.torture --seeds 1-1000` plays them; docs are in each module's first line.
"""
