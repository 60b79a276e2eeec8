"""Fewer labels: masks from tags, or from images alone."""
