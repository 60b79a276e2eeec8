"""Instance masks from images alone (FreeSOLO, Exemplar-FreeSOLO)."""
