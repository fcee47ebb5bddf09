"""From files in a scanner's folder to accepted scans; never opens a member."""
