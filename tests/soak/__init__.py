"""An installation under steady load for hours, with a part that dies each minute: what grows and what is late."""
