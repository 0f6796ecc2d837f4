"""Checkpoints of Stable Diffusion as people have them: what a file is, and what becomes of it.

    tensors       safetensors: names, shapes and places from the header; a tensor only when asked
    architecture  every weight of Stable Diffusion 1.x and 2.x: its names, shape and Keras layer
    identify      what a file is, by the names and shapes in it; the refusals, in words
    mapping       the names of a file, or of a folder in diffusers' layout -> our weights
    lora, textual_inversion    what is merged, and what prompts call by name
    models        a model of several parts: what it is, its digest, whether it is complete
    networks      the networks with a model's weights (TensorFlow, inside functions)

No tensor is read, and nothing is allocated, to answer what a file is.
"""
