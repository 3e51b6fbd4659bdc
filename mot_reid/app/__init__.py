"""Looking at results in a browser: the server, its page, and the report in one file. Local first."""
