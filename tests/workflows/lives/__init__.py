"""Whole lives of requests, lived by the real workflow code in virtual time: no server, some milliseconds each."""
