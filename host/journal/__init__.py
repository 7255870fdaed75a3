"""The terminals' journals as they are replicated here: kept verbatim, chained, both branches of a fork."""
