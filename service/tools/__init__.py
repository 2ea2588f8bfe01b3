"""What a user does beside searching: measure, plan, examine, try."""
