"""What is promised of a file's way through the program, tried many times: ``make reliability``."""
