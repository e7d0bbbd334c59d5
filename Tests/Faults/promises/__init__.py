"""One module a promise of docs/FAILURES.md, each with `run(size, repeat)`."""
