"""A further kind of follow-up that the product does not know: what CONTRIBUTING promises of one."""
