"""What programs call: callbacks of Core Signature, registrations of devices, the codec of the Web UI."""
