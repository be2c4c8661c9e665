"""Real servers for tests: each in a directory of its own, on loopback ports picked free, ended by its process id."""
