"""Labels at work: resolved on groups, told apart where they overlap, read from and written to CSV, and names of hosts."""
