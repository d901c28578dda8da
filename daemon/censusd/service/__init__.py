"""The life of the process: it puts the parts together, in order, and takes them apart again."""
