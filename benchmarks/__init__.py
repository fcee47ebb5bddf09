"""Benchmarks, the demo, and a whole site as processes; never imported by the runtime."""
