"""Pages and websockets that return what Django sees, respond slowly, and echo."""
