"""What programs that make pictures write into them: each program one module, text in, ``Generation`` out, no files."""
