"""The conformance suite of the Object Streaming Protocol: validate any streamer against the specification."""
