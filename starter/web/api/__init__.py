"""The API at `/api/v1`: the same starts, commands and refusals as the command line, for programs."""
