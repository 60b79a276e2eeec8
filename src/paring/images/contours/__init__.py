"""Area and perimeter of mask outlines: OpenCV one by one, or compiled over whole ranges."""
