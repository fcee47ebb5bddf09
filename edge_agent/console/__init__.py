"""The operator's side: client, terminal, words for codes."""
