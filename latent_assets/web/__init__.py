"""Serving pages from this machine, and the guard that stands before them.

Here belong: who may ask what (`guard`), the address and its socket (`address`), what other
processes can know of a server that lives (`announced`), and the server itself (`serving`). What is
served does not: this room knows neither Dagster nor the gallery, walks or frames.
"""

from latent_assets.web.address import Address, listen
from latent_assets.web.announced import Server, servers
from latent_assets.web.guard import Guard
from latent_assets.web.serving import serve

__all__ = ["Address", "Guard", "Server", "listen", "serve", "servers"]
