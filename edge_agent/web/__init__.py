"""The only home of the web framework: server, login, sessions, static files. The console and headquarters' read API use it."""
