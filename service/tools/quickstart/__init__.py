"""The whole once, on a sample that ships with longspan."""
