"""The name of what an ONNX file of ours says of its layers. No torch here."""

NOTE = "paring_layers"
"""Key of the note among the file's metadata: JSON of names of steps to paths of layers."""
