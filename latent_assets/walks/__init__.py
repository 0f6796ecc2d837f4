"""What a walk is: its file, its path, its noise, and the recipe of every frame.

Pure: numpy, pydantic and YAML. Nothing here renders, stores or knows a model.
"""
