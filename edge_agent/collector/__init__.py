"""Headquarters: pulls the journals of all sites."""
