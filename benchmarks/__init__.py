"""What salesforce-sync costs, beside what one would use otherwise: `python -m benchmarks` prints one table."""
