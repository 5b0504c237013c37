"""What widgets with a run share: it is remembered, changed on the way, gone back in, shared, and asked about."""
