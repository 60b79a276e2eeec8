"""Ground floor: what a segmentation data set is, read from and written to files."""
