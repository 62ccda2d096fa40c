"""The HTTP process: callbacks, hooks, devices, pages and desk."""
