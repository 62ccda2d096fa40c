"""What is set up and what is not, looked at part by part."""
