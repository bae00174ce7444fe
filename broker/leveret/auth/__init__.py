"""Who may log in. Passwords are never kept; names and tags are all the rest of the broker sees."""
