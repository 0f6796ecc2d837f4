"""Text-to-image models behind one protocol, and the samplers that walk their noise away."""
