"""What people may do on pages and at the desk, and the forms they do it with."""
