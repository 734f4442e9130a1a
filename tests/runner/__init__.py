"""Runs `make test` and `make test-all`: which jobs there are, their order, how many at a time, and how they ended."""
