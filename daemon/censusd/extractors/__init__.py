"""What a file is: each family of formats one module, each extractor a plug-in that may fail alone."""
