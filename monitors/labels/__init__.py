"""Labels at work: resolved on groups, told apart where they overlap, as filters, from and to CSV; names of hosts."""
