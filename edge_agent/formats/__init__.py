"""Bytes to scans, and our scan package both ways; untrusted bytes are decoded in a child process."""
