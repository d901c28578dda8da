"""The commands: censusd, which is the daemon, and censusctl, which talks to one that runs."""
