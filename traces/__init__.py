"""Recorded expert choices of real models: format, importers, statistics, validation, recorder."""
