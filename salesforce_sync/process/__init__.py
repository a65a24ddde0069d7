"""What surrounds a process: its terminal, its exit codes, signals, systemd, a service's log."""
