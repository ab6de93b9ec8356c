"""Tables, bars and comparison videos."""
