"""What was observed is compared with what is known, purely; then the difference is applied, through one door."""
