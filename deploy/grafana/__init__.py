"""The dashboards, and the module that makes them."""
