"""The drop: a unit as a folder that hardware flows take as it is."""
