"""Tests of what one page is made of."""
