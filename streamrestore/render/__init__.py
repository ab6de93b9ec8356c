"""What people look at: tables and bars for the terminal, reports, comparison videos."""
