"""Everything that runs on a terminal: screen, terminal, journal, settlement, diagnostics."""
