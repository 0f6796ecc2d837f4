"""Fits a sampler to a model: few timesteps, and the coefficients of each step. Numpy alone.

`trajectory` is the model's own path in many small steps, `nodes` chooses timesteps on it, `rollout`
is a walk in few steps whose coefficients are linear, and `descent` improves both.
"""
