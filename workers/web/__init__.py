"""The fleet's pages: what customers reach by the links in their letters."""
