"""Similarity networks of images: communities, representatives, and the threshold (PRIME)."""
