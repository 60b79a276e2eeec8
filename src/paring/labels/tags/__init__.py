"""Image-level tags to instance masks (CIM)."""
