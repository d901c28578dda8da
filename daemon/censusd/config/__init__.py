"""The configuration: TOML files, environment and command line -> one frozen ``Config``, or every fault at once."""
