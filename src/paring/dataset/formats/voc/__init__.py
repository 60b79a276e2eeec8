"""PASCAL VOC 2012 folders."""

from paring.dataset.formats.voc.folder import read, recognise, write, write_part

__all__ = ["read", "recognise", "write", "write_part"]
