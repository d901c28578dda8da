"""The kernel's events become marks: names, directories and subtrees that somebody has to look at."""
