"""Numba kernels: arrays in, arrays out. Nothing here imports from the rest of disprop."""
