"""Fits a sampler to a model: few timesteps, and the coefficients of each step. Numpy alone.

`trajectory` is the model's own path in many small steps, `rollout` a walk in few steps whose
coefficients are linear. `nodes` chooses timesteps by single steps, `closed_form` moves them to
where whole walks end nearest, and `descent` improves timesteps and coefficients together.
"""
