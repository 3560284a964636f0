"""A model that has a file, in the admin, and a view that shows what Django sees of a request."""
