"""The connection to Temporal: client, codec, plugin, search attributes, workers, rates, schedules."""
