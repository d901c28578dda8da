"""The deep scan: when the machine is idle, know what every file is. Worker processes, one crash domain each."""
