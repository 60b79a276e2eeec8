"""What a page can show, one file a section."""
