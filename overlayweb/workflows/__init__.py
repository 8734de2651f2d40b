"""How approved plans are carried out: one runner with a ledger, one file per workflow."""
