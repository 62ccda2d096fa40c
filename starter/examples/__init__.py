"""Programs that use Countersign as a library; each is run by a test."""
