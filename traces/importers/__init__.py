"""Importers of published trace formats: one module for each, and `table` that lists them."""
