"""What the tests stand on: processes, MQTT and HTTP clients, and shadows to ask."""

PATIENCE_S = 20.0
"""Longer than anything a healthy server takes."""
