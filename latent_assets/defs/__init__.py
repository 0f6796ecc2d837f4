"""What somebody adds to the graph in a checkout, by `dg scaffold defs`; nothing ships here."""
