"""From a file to a file: plan, segments of work, stages in threads, report."""
