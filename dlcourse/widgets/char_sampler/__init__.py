"""The char sampler: a language model writes, and each symbol shows what it was drawn from."""
