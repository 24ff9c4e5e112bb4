"""The model learns: packing, the update and its losses."""
