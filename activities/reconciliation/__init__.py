"""What callbacks have missed, found in the events that Core Signature lists."""
